//! What Nova, Glance and Cinder mean by a bad answer.
//!
//! Start with [`of_answer`]. They say most by the status; where one status stands for several things,
//! the sentence tells which, in words that have been the same for ten years.

use bytes::Bytes;
use http::Response;

use super::super::fault;
use crate::domain::{CostClass, Fault, FaultClass};

/// Classifies an answer that is not the wanted one.
#[must_use]
pub fn of_answer(cost: CostClass, response: &Response<Bytes>) -> Fault {
    let fault = fault::of_answer(cost, response);
    let said = |words: &str| fault.message.contains(words);
    match response.status().as_u16() {
        // Over quota is a 403, like everything that is not allowed.
        403 if said("Quota exceeded") || said("quota exceeded") => {
            Fault { class: FaultClass::Quota, ..fault }
        }
        // What is being done ends by itself; a state does not.
        409 if said("task_state") => Fault { class: FaultClass::Busy, ..fault },
        409 if said("is locked") => {
            let message = format!("{}: somebody locked it, and only they unlock it", fault.message);
            Fault { class: FaultClass::State, message, ..fault }
        }
        _ => fault,
    }
}
