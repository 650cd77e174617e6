//! Parquet, as far as segments need it: column chunks are encoded from and decoded to dictionary codes directly.
//!
//! The footer, the page index and the bloom filters are written and read by the `parquet` crate;
//! pages are ours, because going through its value-by-value writers would cost several times as much.

mod chunk;
mod delta;
mod header;
mod hybrid;
mod narrow;
mod page;
mod read;
mod readback;
mod write;

pub(crate) use chunk::is_required;
pub(crate) use hybrid::{put_varint, take_varint};
pub(crate) use narrow::Codes;
pub(crate) use page::{PageCodes, PageData};
pub use read::PageError;
pub(crate) use read::{Chunk, Use};
pub(crate) use write::{Encoder, PAGE_ROWS};
