//! The password of a Windows server: there only some time after it was set, and only as ciphertext
//! (`ecs.md`, section 10).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::dice::Dice;
use super::error::ApiError;
use super::machine::Machine;
use super::world::World;
use crate::domain::{Millis, ServerId};

/// Bytes of RSA ciphertext under a key of 2,048 bits.
const CIPHERTEXT: usize = 256;
/// The first stream of chance that no other use has.
const STREAM: u64 = 1 << 32;

/// From when on the password of a server can be fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Password {
    /// It is stored.
    #[default]
    Stored,
    /// It is on its way once the server was started.
    AwaitsStart,
    /// It will be stored at that time.
    From(Millis),
}

impl World {
    /// The stored password of a server: base64 of a ciphertext, empty while there is none. Linux
    /// servers never have one.
    pub(super) fn server_password(&self, now: Millis, id: &ServerId) -> Result<String, ApiError> {
        let Some(index) = self.by_id.get(id).copied() else {
            return self.show_server(now, id).map(|_| String::new());
        };
        let machine = &self.machines[index];
        let stored = match machine.password {
            Password::Stored => true,
            Password::AwaitsStart => false,
            Password::From(at) => at <= now,
        };
        let earlier = self.knobs.password_stays.then(|| machine.installed().saturating_sub(1));
        let edition = if stored { Some(machine.installed()) } else { earlier };
        let edition = edition.filter(|_| is_windows(machine));
        Ok(edition.map(|edition| ciphertext(index, edition)).unwrap_or_default())
    }

    /// A server was reinstalled, or started after that: its password is on its way.
    pub(super) fn password_begins(&mut self, now: Millis, index: usize) {
        if is_windows(&self.machines[index]) {
            let at = self.after(now, self.knobs.password);
            self.machines[index].password = Password::From(at);
        }
    }
}

fn is_windows(machine: &Machine) -> bool {
    machine.server.os_type.as_deref() == Some("Windows")
}

/// Looks like the real thing and holds no secret: every reinstall has another one.
fn ciphertext(index: usize, edition: u32) -> String {
    let mut dice = Dice::new(index as u64, STREAM + u64::from(edition));
    STANDARD.encode(dice.bytes(CIPHERTEXT))
}

#[cfg(test)]
mod tests {
    use super::super::Knobs;
    use super::super::knobs::Span;
    use super::super::trial::{self, calm};
    use super::*;
    use crate::domain::{Action, StopMode};

    fn knobs() -> Knobs {
        Knobs { password: Span::exactly(300.0), ..calm() }
    }

    /// A world with one server that is reinstalled from 10 to 110.
    fn reinstalling(os: &str, knobs: Knobs) -> (World, ServerId) {
        let mut world = trial::world(&format!("servers: [{{ os_type: {os} }}]"), knobs);
        let server = trial::ids(&world).remove(0);
        trial::job(&mut world, 0, &trial::stop_of(&server, StopMode::Hard));
        let wipe = trial::reinstall_of(&world, &server);
        trial::job(&mut world, 10, &wipe);
        world.advance(Millis::secs(110));
        (world, server)
    }

    fn password(world: &mut World, seconds: u64, server: &ServerId) -> String {
        world.advance(Millis::secs(seconds));
        world.server_password(Millis::secs(seconds), server).expect("there")
    }

    #[test]
    fn a_windows_password_can_be_fetched_only_after_a_while() {
        let (mut world, server) = reinstalling("Windows", knobs());
        let fresh = trial::world("servers: [{ os_type: Windows }]", knobs());
        let before = fresh.server_password(Millis(0), &server).expect("there");
        assert_eq!(password(&mut world, 409, &server), "");
        let after = password(&mut world, 410, &server);
        assert_eq!(STANDARD.decode(&after).map(|bytes| bytes.len()), Ok(CIPHERTEXT));
        assert_ne!(after, before);
        let (mut linux, server) = reinstalling("Linux", knobs());
        assert_eq!(password(&mut linux, 9_000, &server), "");
    }

    #[test]
    fn without_a_start_there_is_no_new_password() {
        let stays_off = Knobs { starts_after_reinstall: false, ..knobs() };
        let (mut world, server) = reinstalling("Windows", stays_off);
        assert_eq!(password(&mut world, 5_000, &server), "");
        trial::job(&mut world, 5_000, &Action::Start { servers: vec![server.clone()] });
        assert_eq!(password(&mut world, 5_314, &server), "");
        assert_ne!(password(&mut world, 5_315, &server), "");
    }

    #[test]
    fn the_old_password_may_still_be_shown_until_the_new_one_is_there() {
        let (mut world, server) =
            reinstalling("Windows", Knobs { password_stays: true, ..knobs() });
        let old = password(&mut world, 200, &server);
        assert!(!old.is_empty());
        assert_ne!(password(&mut world, 410, &server), old);
    }
}
