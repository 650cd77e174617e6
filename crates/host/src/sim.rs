//! A world that a seed decides.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{Clock, Entropy, Host, SimDisk, Timestamp};

/// A simulated world: time stands still until a test moves it, random bytes follow from the seed, files are in
/// memory and crash on request.
#[derive(Clone)]
pub struct SimHost {
    /// The files.
    pub disk: Arc<SimDisk>,
    state: Arc<Mutex<State>>,
}

struct State {
    elapsed: Duration,
    random: SplitMix,
}

/// SplitMix64: small, and good enough to decide the weather.
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

impl SimHost {
    /// Wall time at which every simulation begins: 2026-01-01T00:00:00Z.
    pub const EPOCH: Timestamp = Timestamp(1_767_225_600_000_000);

    /// The world of this seed.
    pub fn new(seed: u64) -> Self {
        let state = State { elapsed: Duration::ZERO, random: SplitMix(seed) };
        Self { disk: Arc::new(SimDisk::new(seed)), state: Arc::new(Mutex::new(state)) }
    }

    /// The world as the components of one process take it. Its disk is dead after the next crash.
    pub fn host(&self) -> Host {
        let this = Arc::new(self.clone());
        Host { clock: this.clone(), disk: Arc::new(self.disk.session()), entropy: this }
    }

    /// Lets time pass.
    pub fn advance(&self, span: Duration) {
        self.locked(|state| state.elapsed += span);
    }

    fn locked<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clock for SimHost {
    fn now(&self) -> Timestamp {
        Timestamp(Self::EPOCH.0 + self.monotonic().as_micros() as i64)
    }

    fn monotonic(&self) -> Duration {
        self.locked(|state| state.elapsed)
    }
}

impl Entropy for SimHost {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        self.locked(|state| {
            for chunk in bytes.chunks_mut(8) {
                chunk.copy_from_slice(&state.random.next().to_le_bytes()[..chunk.len()]);
            }
        });
        Ok(())
    }
}
