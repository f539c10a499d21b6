//! Which servers of a fleet may start together, and how many may be away at once.

use std::collections::BTreeMap;

use crate::domain::ServerId;
use crate::playbook::{Size, Spread, Strategy};

use super::{Pace, Wave};

/// The waves of a fleet: the canary, then `serial` after `serial`, of which the last repeats. Zones
/// take turns as `spread` says; zone after zone, the canary and every wave end where their zone does.
pub(super) fn waves<'a>(
    strategy: &Strategy,
    servers: &[ServerId],
    zone_of: impl Fn(&ServerId) -> &'a str,
) -> Vec<Wave> {
    let servers = &in_turn(strategy.spread, servers, &zone_of)[..];
    let same_zone = |list: &[ServerId]| {
        let zone = list.first().map(&zone_of);
        match strategy.spread {
            Spread::Zonal => list.iter().take_while(|id| Some(zone_of(id)) == zone).count(),
            Spread::Any | Spread::Az => list.len(),
        }
    };
    let canary = (strategy.canary as usize).min(same_zone(servers));
    let (first, mut rest) = servers.split_at(canary);
    let mut waves = Vec::new();
    if !first.is_empty() {
        waves.push(Wave { canary: true, servers: first.to_vec() });
    }
    let mut sizes = strategy.serial.iter();
    let mut size = rest.len().max(1);
    while !rest.is_empty() {
        if let Some(next) = sizes.next() {
            size = rounded_up(*next, servers.len());
        }
        let (wave, later) = rest.split_at(size.min(same_zone(rest)));
        waves.push(Wave { canary: false, servers: wave.to_vec() });
        rest = later;
    }
    waves
}

/// The servers in the order in which their zones take turns; within a zone as they came.
fn in_turn<'a>(
    spread: Spread,
    servers: &[ServerId],
    zone_of: &impl Fn(&ServerId) -> &'a str,
) -> Vec<ServerId> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut placed: Vec<(usize, &str, &ServerId)> = Vec::with_capacity(servers.len());
    for id in servers {
        let nth = seen.entry(zone_of(id)).or_default();
        placed.push((*nth, zone_of(id), id));
        *nth += 1;
    }
    match spread {
        Spread::Any => {}
        Spread::Az => placed.sort_by_key(|(nth, zone, _)| (*nth, *zone)),
        Spread::Zonal => placed.sort_by_key(|(nth, zone, _)| (*zone, *nth)),
    }
    placed.into_iter().map(|(_, _, id)| id.clone()).collect()
}

/// How fast a fleet of `planned` servers goes.
pub(super) fn pace(strategy: &Strategy, planned: usize) -> Pace {
    let away = match strategy.max_unavailable {
        Size::Count(count) => count as usize,
        Size::Share(share) => share.of_down(planned),
    };
    Pace {
        max_unavailable: u32::try_from(away.max(1)).unwrap_or(u32::MAX),
        max_failures: strategy.max_failures,
        strict_budget: strategy.strict_budget,
        bake_time: strategy.bake_time,
        canary: strategy.canary,
        pause: strategy.pause,
        spread: strategy.spread,
    }
}

fn rounded_up(size: Size, planned: usize) -> usize {
    let servers = match size {
        Size::Count(count) => count as usize,
        Size::Share(share) => share.of_up(planned),
    };
    servers.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::Share;

    fn sizes(canary: u32, serial: &[Size], servers: usize) -> Vec<usize> {
        let strategy = Strategy { canary, serial: serial.to_vec(), ..Strategy::default() };
        let servers: Vec<ServerId> = (0..servers).map(|n| n.to_string().into()).collect();
        let waves = waves(&strategy, &servers, |_| "one");
        let inside: Vec<&ServerId> = waves.iter().flat_map(|wave| &wave.servers).collect();
        assert_eq!(inside, servers.iter().collect::<Vec<_>>(), "each once, in order");
        assert_eq!(waves.first().is_some_and(|wave| wave.canary), canary > 0);
        assert!(waves.iter().skip(1).all(|wave| !wave.canary));
        waves.iter().map(|wave| wave.servers.len()).collect()
    }

    #[test]
    fn the_canary_goes_first_then_serial_whose_last_size_repeats() {
        let count = Size::Count;
        let share = |n| Size::Share(Share(n));
        let check = |canary, serial: &[Size], servers, expected: &[usize]| {
            assert_eq!(sizes(canary, serial, servers), expected, "{canary} {serial:?} {servers}");
        };
        check(1, &[count(1)], 3, &[1, 1, 1]);
        check(0, &[share(100)], 5, &[5]);
        check(1, &[share(100)], 5, &[1, 4]);
        check(1, &[share(10), share(25), share(50)], 20, &[1, 2, 5, 10, 2]);
        check(2, &[count(3), count(4)], 16, &[2, 3, 4, 4, 3]);
        check(9, &[count(1)], 3, &[3]);
        check(1, &[share(1)], 7, &[1, 1, 1, 1, 1, 1, 1]);
        check(1, &[share(10)], 11, &[1, 2, 2, 2, 2, 2]);
        check(0, &[count(0)], 2, &[1, 1]);
    }

    fn in_zones(spread: Spread, servers: &[&str]) -> Vec<String> {
        let serial = vec![Size::Count(2)];
        let strategy = Strategy { canary: 1, serial, spread, ..Strategy::default() };
        let servers: Vec<ServerId> = servers.iter().map(|id| ServerId::from(*id)).collect();
        let zone = |id: &ServerId| if id.as_str().starts_with('a') { "zone-a" } else { "zone-b" };
        let text =
            |wave: &Wave| wave.servers.iter().map(ServerId::as_str).collect::<Vec<_>>().join(" ");
        waves(&strategy, &servers, zone).iter().map(text).collect()
    }

    #[test]
    fn s10_zones_take_turns_as_spread_says() {
        let servers = ["b1", "b2", "a1", "a2", "a3", "a4"];
        assert_eq!(in_zones(Spread::Any, &servers), ["b1", "b2 a1", "a2 a3", "a4"]);
        assert_eq!(in_zones(Spread::Az, &servers), ["a1", "b1 a2", "b2 a3", "a4"]);
        assert_eq!(in_zones(Spread::Zonal, &servers), ["a1", "a2 a3", "a4", "b1 b2"]);
    }

    #[test]
    fn a_share_that_may_be_away_rounds_down_but_never_to_nothing() {
        let check = |size, planned, expected| {
            let strategy = Strategy { max_unavailable: size, ..Strategy::default() };
            assert_eq!(pace(&strategy, planned).max_unavailable, expected, "{size:?} of {planned}");
        };
        check(Size::Count(4), 3, 4);
        check(Size::Count(0), 3, 1);
        check(Size::Share(Share(35)), 10, 3);
        check(Size::Share(Share(35)), 2, 1);
        check(Size::Share(Share(100)), 7, 7);
    }
}
