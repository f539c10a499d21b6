//! How a simulated cloud says no.

use std::borrow::Cow;

use super::codes;
use crate::domain::Millis;

/// Which of the cloud's body shapes an error is written in (`errors-and-limits.md`, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `{"error":{"code","message"}}`.
    Service,
    /// The same with `details`.
    Detailed,
    /// `{"error_code","error_msg","request_id"}`.
    Gateway,
    /// `{"error":{"error_code","error_msg"}}`.
    Kms,
    /// `{"error":{"code":401,"message","title"}}`.
    Keystone,
    /// `{"itemNotFound":{"message","code"}}`.
    Native,
    /// `{"badrequest":{"message","code"}}`.
    NativeEvs,
    /// `{"error":{…},"internalError":[{"id","error_code","error_message"}]}`.
    Batch,
    /// `{"code","message"}`.
    Flat,
    /// `{"errorCode","errorMsg"}`.
    Camel,
    /// A page of a proxy.
    Html,
    /// Nothing.
    Empty,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    /// HTTP status.
    pub(super) status: u16,
    /// The cloud's code; empty where there is none.
    pub(super) code: &'static str,
    /// The cloud's sentence.
    pub(super) message: Cow<'static, str>,
    /// How it is written.
    pub(super) shape: Shape,
    /// Flow control: requests and the window they are counted in, in simulated time.
    pub(super) window: Option<(u32, Millis)>,
    /// Announced in a header, in simulated time.
    pub(super) retry_after: Option<Millis>,
}

impl ApiError {
    /// An error of a service.
    pub(super) fn new(
        status: u16,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (message, shape) = (message.into(), Shape::Service);
        Self { status, code, message, shape, window: None, retry_after: None }
    }

    /// The error of that code, as its service says it.
    pub(super) fn coded(code: &'static str) -> Self {
        match codes::find(code) {
            Some(it) => Self::new(it.status, it.name, it.message).shaped(it.shape()),
            None => Self::new(400, code, ""),
        }
    }

    /// The same in another shape.
    pub(super) fn shaped(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// No such server.
    pub(super) fn no_server() -> Self {
        Self::new(404, "Ecs.0114", "The server does not exist.")
    }

    /// The gateway's flow control.
    pub(super) fn throttled(limit: u32, window: Millis, retry_after: Option<Millis>) -> Self {
        let message = "The throttling threshold has been reached: policy user over ratelimit";
        let window = Some((limit, window));
        let error = Self::new(429, "APIGW.0308", message).shaped(Shape::Gateway);
        Self { window, retry_after, ..error }
    }
}
