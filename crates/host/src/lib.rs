//! The world as traits: [`Clock`], [`Disk`], [`Entropy`]; the real one and a simulated one.
//!
//! Everything below the edges asks this crate for the time, for random bytes and for files, so that a test
//! can put [`SimHost`] in its place: the same seed gives the same weather, and a crash is one call.
//!
//! Does not know the product: no formats, no directories of its own, no policy about what to do when a
//! disk fails.

mod clock;
mod disk;
mod entropy;
mod sim;
mod sim_disk;
mod system;

pub use clock::{Clock, Timestamp};
pub use disk::{Access, Disk, DiskFile, Lock, Owner, Secrecy, read_all, replace_file};
pub use entropy::Entropy;
pub use sim::SimHost;
pub use sim_disk::{Fault, SimDisk, Step};
pub use system::SystemHost;

use std::sync::Arc;

/// The world that a component runs in. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Files.
    pub disk: Arc<dyn Disk>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
}

impl Host {
    /// The real world.
    pub fn system() -> Self {
        let system = Arc::new(SystemHost::new());
        Self { clock: system.clone(), disk: system.clone(), entropy: system }
    }
}
