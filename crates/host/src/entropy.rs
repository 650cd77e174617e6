//! Random bytes.

use std::io;

/// A source of random bytes.
pub trait Entropy: Send + Sync {
    /// Fills the buffer with bytes that nobody can predict (in a simulation: that only the seed decides).
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()>;
}
