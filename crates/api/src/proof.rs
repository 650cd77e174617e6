//! Checkpoints, proofs and tiles: everything that is needed to check the log without trusting the server.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tlog::{Checkpoint, Note, Tile, TreeSize};

use crate::entry::existing;
use crate::problem::Problem;
use crate::router::{Api, blocking};

/// A signed checkpoint, read and as it was signed.
#[derive(Debug, Serialize)]
pub(crate) struct SignedCheckpoint {
    origin: String,
    size: u64,
    root: String,
    /// The C2SP signed note. What is signed is this text; the other fields only repeat it.
    note: String,
}

impl SignedCheckpoint {
    fn new(note: &Note, checkpoint: Checkpoint) -> Self {
        let Checkpoint { origin, size, root } = checkpoint;
        Self { origin, size: size.get(), root: root.to_string(), note: note.to_string() }
    }
}

/// That an entry is in the tree of a checkpoint.
#[derive(Debug, Serialize)]
pub(crate) struct Inclusion {
    index: u64,
    leaf: String,
    hashes: Vec<String>,
    checkpoint: SignedCheckpoint,
}

/// That one tree is the beginning of another.
#[derive(Debug, Serialize)]
pub(crate) struct Consistency {
    from: u64,
    to: u64,
    from_root: String,
    to_root: String,
    hashes: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Span {
    from: u64,
    to: Option<u64>,
}

/// The newest checkpoint.
pub(crate) async fn checkpoint(State(api): State<Api>) -> Result<Json<SignedCheckpoint>, Problem> {
    let (note, checkpoint) = newest(&api).await?;
    Ok(Json(SignedCheckpoint::new(&note, checkpoint)))
}

/// The newest checkpoint as C2SP tlog-tiles wants it: the signed note alone.
pub(crate) async fn checkpoint_note(State(api): State<Api>) -> Result<Response, Problem> {
    let (note, _) = newest(&api).await?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, note.to_string()).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct History {
    since_size: Option<u64>,
    limit: Option<usize>,
}

/// Checkpoints of an answer, when nothing else is asked for and at most.
const CHECKPOINTS: usize = 1_000;
const CHECKPOINTS_MAX: usize = 100_000;

/// The checkpoints that are kept, oldest first.
pub(crate) async fn checkpoints(
    State(api): State<Api>,
    Query(history): Query<History>,
) -> Result<Json<serde_json::Value>, Problem> {
    blocking(move || {
        let notes = api.log.checkpoints()?;
        let all = notes.iter().filter_map(|note| Some((note, Checkpoint::try_from(note).ok()?)));
        let wanted = all.filter(|(_, checkpoint)| checkpoint.size.get() >= history.since_size.unwrap_or(0));
        let limit = history.limit.unwrap_or(CHECKPOINTS).min(CHECKPOINTS_MAX);
        let list: Vec<_> =
            wanted.take(limit).map(|(note, checkpoint)| SignedCheckpoint::new(note, checkpoint)).collect();
        Ok(Json(serde_json::json!({ "checkpoints": list })))
    })
    .await
}

/// The proof that an entry is in the log that the newest checkpoint speaks of.
pub(crate) async fn inclusion(State(api): State<Api>, Path(index): Path<u64>) -> Result<Json<Inclusion>, Problem> {
    blocking(move || {
        let (note, checkpoint) = read_newest(&api)?;
        let index = existing(&api, index)?;
        if !checkpoint.size.contains(index) {
            let error = format!("entry {index} is not below the newest checkpoint, which covers {}", checkpoint.size);
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                error,
                "a checkpoint is made every second while entries come",
            ));
        }
        let prover = api.log.prover();
        let proof = prover.inclusion(index, checkpoint.size)?;
        Ok(Json(Inclusion {
            index: index.get(),
            leaf: prover.leaf(index)?.to_string(),
            hashes: proof.0.iter().map(ToString::to_string).collect(),
            checkpoint: SignedCheckpoint::new(&note, checkpoint),
        }))
    })
    .await
}

/// The proof that the log of size `from` is the beginning of that of size `to`, or of the newest checkpoint.
pub(crate) async fn consistency(
    State(api): State<Api>,
    Query(span): Query<Span>,
) -> Result<Json<Consistency>, Problem> {
    blocking(move || {
        let to = match span.to {
            Some(to) => TreeSize::new(to),
            None => read_newest(&api)?.1.size,
        };
        let from = TreeSize::new(span.from);
        if to > api.log.size() {
            let error = format!("parameter to: {to} is more than the {} entries of the log", api.log.size());
            return Err(Problem::new(StatusCode::NOT_FOUND, error, "leave it out for the newest checkpoint"));
        }
        if from > to {
            return Err(Problem::parameter("from", format_args!("{from} is more than {to}")));
        }
        let prover = api.log.prover();
        let proof = prover.consistency(from, to)?;
        Ok(Json(Consistency {
            from: from.get(),
            to: to.get(),
            from_root: prover.root(from)?.to_string(),
            to_root: prover.root(to)?.to_string(),
            hashes: proof.0.iter().map(ToString::to_string).collect(),
        }))
    })
    .await
}

/// A tile of the tree, by its C2SP path.
pub(crate) async fn tile(State(api): State<Api>, Path(path): Path<String>) -> Result<Response, Problem> {
    let absent = || Problem::new(StatusCode::NOT_FOUND, "there is no such tile", "see https://c2sp.org/tlog-tiles");
    let tile: Tile = format!("tile/{path}").parse().map_err(|_| absent())?;
    blocking(move || {
        let hashes = api.log.prover().tile(tile)?.ok_or_else(absent)?;
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let headers = [
            (header::CONTENT_TYPE, "application/octet-stream"),
            (header::CACHE_CONTROL, "max-age=31536000, immutable"),
        ];
        Ok((headers, bytes).into_response())
    })
    .await
}

async fn newest(api: &Api) -> Result<(Note, Checkpoint), Problem> {
    let api = api.clone();
    blocking(move || read_newest(&api)).await
}

fn read_newest(api: &Api) -> Result<(Note, Checkpoint), Problem> {
    let hint = "the first checkpoint is made a second after the first entry";
    api.log.checkpoint()?.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no checkpoint yet", hint))
}
