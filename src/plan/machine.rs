//! The machine that refleet runs on: never one of its own targets (`safety.md`, S5).

use crate::domain::{Address, ServerId};

/// What a machine knows of itself without asking anybody. Empty: nothing is known, and nothing is
/// kept out by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The product UUID of its DMI table and the instance id of its cloud-init: on these clouds both
    /// are the server's id.
    pub ids: Vec<String>,
    /// Its host name.
    pub host_name: Option<String>,
    /// Its addresses that are not of loopback or of one link only.
    pub addresses: Vec<String>,
}

impl Machine {
    /// Why a server is this machine; `None`: nothing says that it is. Each sign counts alone: a
    /// server that is left out in vain costs a line in the plan, the other mistake a disk.
    pub fn is<'a>(
        &self,
        id: &ServerId,
        name: &str,
        addresses: impl IntoIterator<Item = &'a Address>,
    ) -> Option<String> {
        if self.ids.iter().any(|own| own.eq_ignore_ascii_case(id.as_str())) {
            return Some("it has the id of the machine that refleet runs on".to_owned());
        }
        if let Some(address) = addresses.into_iter().find(|at| self.addresses.contains(&at.addr)) {
            return Some(format!(
                "{} is an address of the machine that refleet runs on",
                address.addr
            ));
        }
        let own = self.host_name.as_deref()?;
        let same = own.eq_ignore_ascii_case(name)
            || own.split('.').next().is_some_and(|label| label.eq_ignore_ascii_case(name));
        same.then(|| "it has the name of the machine that refleet runs on".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AddressKind;

    fn address(addr: &str) -> Address {
        let (addr, mac) = (addr.to_owned(), "fa:16:3e:00:00:01".to_owned());
        Address { addr, mac, port: "p".to_owned(), kind: AddressKind::Fixed }
    }

    fn told(machine: &Machine) -> bool {
        machine.is(&"7F0B0C1E-6D5A".into(), "bastion-1", &[address("10.0.0.9")]).is_some()
    }

    #[test]
    fn s5_each_sign_of_the_own_machine_is_enough() {
        let nobody = Machine::default();
        assert!(!told(&nobody));
        assert!(told(&Machine { ids: vec!["7f0b0c1e-6d5a".to_owned()], ..nobody.clone() }));
        assert!(told(&Machine { addresses: vec!["10.0.0.9".to_owned()], ..nobody.clone() }));
        for name in ["bastion-1", "Bastion-1.example.org"] {
            assert!(
                told(&Machine { host_name: Some(name.to_owned()), ..nobody.clone() }),
                "{name}"
            );
        }
        let other = Machine {
            ids: vec!["7f0b0c1e".to_owned()],
            host_name: Some("bastion-11".to_owned()),
            addresses: vec!["10.0.0.90".to_owned()],
        };
        assert!(!told(&other));
    }
}
