//! The query language: text to a typed tree, and the naive evaluator that defines what the tree means.
//!
//! - [`Query::parse`] reads text such as `verb:delete resource:secrets -user:system:* time>now-2h`.
//! - [`Expr`] is the tree that any backend compiles: terms of [`Target`] and [`Test`] under and, or, not.
//! - [`Query::matches`] asks one [`Row`]. It is slow and short: every faster backend must agree with it.
//! - [`Field`] is the one table of field names, from which [`reference_markdown`] makes the reference page.
//!
//! Does not know where events are kept, how they are indexed, or what time it is: `now` is given with the
//! [`Context`]. Query text is hostile: length, depth and number of terms are limited, nothing panics.

mod error;
mod eval;
mod expr;
mod field;
mod parse;
mod path;
mod pattern;
mod range;
mod reference;
mod row_json;
mod scalars;
mod time;
mod trust;
mod value;

pub use error::{ParseError, Problem};
pub use eval::{Entry, Row};
pub use expr::{Expr, Query, Target, Term, Test};
pub use field::{Field, Kind};
pub use parse::{DEPTH_MAX, QUERY_BYTES_MAX, TERMS_MAX};
pub use path::{LIST_DEPTH_MAX, Path, Root, Step};
pub use pattern::{Pattern, Piece};
pub use range::{NumberRange, Range};
pub use reference::reference_markdown;
pub use row_json::{ROW_KEYS, Raw, RowKeys, Shown};
pub use scalars::{Scalars, words};
pub use time::{Context, TIME_MAX, TIME_MIN, TimeError, parse_duration, parse_since, parse_until};
pub use trust::{Remark, remarks, remarks_of};
