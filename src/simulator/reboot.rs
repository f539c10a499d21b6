//! Reboots, and rebuilds as native Nova has them: our client sends neither, real ones do (`ecs.md`,
//! sections 5 and 6.4).

use super::commands::{Power, StopFirst, Wipe};
use super::error::{ApiError, Shape};
use super::jobs::JobKind;
use super::knobs::Span;
use super::machine::TaskKind;
use super::world::World;
use crate::domain::{ImageId, InstallCall, JobId, Millis, ServerId, StopMode};

impl Power {
    /// Its name among operations.
    pub(super) fn operation(&self) -> &'static str {
        match self.job {
            JobKind::Start => "start",
            JobKind::Reboot => "reboot",
            JobKind::Stop | JobKind::Reinstall | JobKind::ChangeOs => "stop",
        }
    }

    /// Status, where it is another one, and task state of a server meanwhile.
    pub(super) fn meanwhile(&self) -> (Option<&'static str>, &'static str) {
        match self.kind {
            TaskKind::Start => (None, "powering-on"),
            TaskKind::Reboot(StopMode::Soft) => (Some("REBOOT"), "rebooting"),
            TaskKind::Reboot(StopMode::Hard) => (Some("HARD_REBOOT"), "rebooting_hard"),
            TaskKind::SoftStop | TaskKind::HardStop | TaskKind::Reinstall(_) => {
                (None, "powering-off")
            }
        }
    }
}

impl World {
    /// Reboots servers.
    pub(super) fn reboot(
        &mut self,
        now: Millis,
        ids: &[ServerId],
        mode: StopMode,
    ) -> Result<JobId, ApiError> {
        let stop = match mode {
            StopMode::Soft => self.knobs.stop_soft,
            StopMode::Hard => self.knobs.stop_hard,
        };
        let span = Span(stop.0 + self.knobs.start.0, stop.1 + self.knobs.start.1);
        let kind = TaskKind::Reboot(mode);
        self.power(now, ids, &Power { job: JobKind::Reboot, deed: None, kind, span })
    }

    /// Installs a server's image anew without any login, as native Nova does; no other image is
    /// taken.
    pub(super) fn rebuild(
        &mut self,
        now: Millis,
        id: &ServerId,
        image: &ImageId,
    ) -> Result<(), ApiError> {
        let refused = |status, text: String| ApiError::new(status, "", text).shaped(Shape::Native);
        let server = self.show_server(now, id)?;
        if server.image != *image {
            return Err(refused(400, format!("Image {image} is not that of the server.")));
        }
        let cloud_init = self.show_image(image).is_none_or(|image| image.cloud_init);
        let call = if cloud_init { InstallCall::V2 } else { InstallCall::V1 };
        // User data stands for "no login is needed".
        let wipe = Wipe {
            call,
            key_pair: None,
            password: false,
            user_data: true,
            byol: false,
            new_image: None,
            disk_key: None,
            stop_first: StopFirst::Yes,
        };
        let _job = self.reinstall_now(now, id, &wipe)?;
        let Some(index) = self.by_id.get(id).copied() else { return Ok(()) };
        let server = self.change(now, index);
        "REBUILD".clone_into(&mut server.status);
        server.task_state = Some("rebuilding".to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::{calm, ids, world};
    use super::*;

    #[test]
    fn a_reboot_shows_its_own_status_and_leads_back_to_a_running_server() {
        let mut world = world("servers: [{}, { status: SHUTOFF }]", calm());
        let ids = ids(&world);
        let job = world.reboot(Millis(0), &ids[..1], StopMode::Soft).unwrap();
        let at = |world: &mut World, seconds| {
            world.advance(Millis::secs(seconds));
            let server = world.show_server(Millis::secs(seconds), &ids[0]).unwrap();
            (server.status.clone(), server.task_state.clone())
        };
        assert_eq!(at(&mut world, 34), ("REBOOT".to_owned(), Some("rebooting".to_owned())));
        assert_eq!(at(&mut world, 35), ("ACTIVE".to_owned(), None));
        assert!(world.show_job(Millis::secs(35), &job).unwrap().ended().is_some());
        let stopped = world.reboot(Millis::secs(35), &ids[1..], StopMode::Hard).unwrap_err();
        assert_eq!(stopped.code, "Ecs.0100");
    }

    #[test]
    fn a_rebuild_takes_the_image_of_the_server_and_no_other() {
        let mut world = world("servers: [{ status: SHUTOFF }]", calm());
        let (id, image) = (ids(&world)[0].clone(), world.machines[0].server.image.clone());
        let other = ImageId::from("another");
        assert_eq!(world.rebuild(Millis(0), &id, &other).unwrap_err().status, 400);
        world.rebuild(Millis(0), &id, &image).unwrap();
        assert_eq!(world.show_server(Millis(1), &id).unwrap().status, "REBUILD");
        assert!(world.rebuild(Millis(1), &id, &image).is_err());
        world.advance(Millis::secs(100));
        assert_eq!(world.show_server(Millis::secs(100), &id).unwrap().status, "ACTIVE");
        assert!(world.traces.is_empty(), "it is no reinstall to the audit log");
    }
}
