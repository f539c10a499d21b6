//! Plans: what is drawn, checked, compared and shown.

#[cfg(test)]
#[path = "plans/backups.rs"]
mod backups;
#[cfg(test)]
#[path = "plans/checking.rs"]
mod checking;
#[cfg(test)]
#[path = "plans/comparing.rs"]
mod comparing;
#[cfg(test)]
#[path = "plans/differing.rs"]
mod differing;
#[cfg(test)]
#[path = "plans/drawing.rs"]
mod drawing;
#[cfg(test)]
#[path = "plans/features.rs"]
mod features;
#[cfg(test)]
#[path = "plans/hostile.rs"]
mod hostile;
#[cfg(test)]
#[path = "plans/seed.rs"]
mod seed;
#[cfg(test)]
#[path = "plans/showing.rs"]
mod showing;
#[cfg(test)]
#[path = "plans/surveying.rs"]
mod surveying;
#[cfg(test)]
#[path = "plans/telling.rs"]
mod telling;
#[cfg(test)]
#[path = "plans/templates.rs"]
mod templates;
#[cfg(test)]
#[path = "plans/world.rs"]
mod world;
