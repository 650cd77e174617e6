//! Parquet, as far as segments need it: column chunks are encoded from and decoded to dictionary codes directly.
//!
//! The footer, the page index and the bloom filters are written and read by the `parquet` crate;
//! pages are ours, because going through its value-by-value writers would cost several times as much.

mod delta;
mod header;
mod hybrid;
mod read;
mod write;

pub use read::PageError;
pub(crate) use read::{Chunk, Codes, PageCodes, PageData, Use};
pub(crate) use write::{Encoder, PAGE_ROWS, is_required};
