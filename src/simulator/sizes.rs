//! How large a server is, as the name of its flavor tells.

/// Room of a server.
pub(super) struct Size {
    /// Virtual processors.
    pub(super) vcpus: u64,
    /// Memory in MiB.
    pub(super) ram_mib: u64,
}

/// The size that a name such as `s3.large.2` tells: a word for the processors, and GiB for each.
pub(super) fn size(flavor: &str) -> Size {
    let parts: Vec<&str> = flavor.split('.').collect();
    let vcpus = match parts.get(1).copied().unwrap_or("large") {
        "small" | "medium" => 1,
        "xlarge" => 4,
        other => {
            let times = other.strip_suffix("xlarge").and_then(|n| n.parse::<u64>().ok());
            times.map_or(2, |n| n.min(64) * 4)
        }
    };
    let gib: u64 = parts.get(2).and_then(|text| text.parse().ok()).unwrap_or(2);
    Size { vcpus, ram_mib: vcpus * gib.min(64) * 1_024 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flavor_is_as_large_as_its_name_says() {
        let cases = [
            ("s3.large.2", 2, 4_096),
            ("s3.xlarge.4", 4, 16_384),
            ("m2.8xlarge.8", 32, 262_144),
            ("s2.medium.4", 1, 4_096),
            ("odd", 2, 4_096),
            ("a.99999999999999999999xlarge.b", 2, 4_096),
        ];
        for (name, vcpus, ram) in cases {
            let have = size(name);
            assert_eq!((have.vcpus, have.ram_mib), (vcpus, ram), "{name}");
        }
    }
}
