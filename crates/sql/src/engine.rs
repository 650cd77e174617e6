//! One question, asked of DataFusion.

use std::path::Path;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::DataFusionError;
use datafusion::execution::options::ParquetReadOptions;
use datafusion::prelude::{SessionConfig, SessionContext};

/// Threads of a query.
const PARTITIONS: usize = 2;

/// The answer, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows; a null is `None`.
    pub rows: Vec<Vec<Option<String>>>,
}

/// One column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// As the question names it.
    pub name: String,
    /// Whether its texts are JSON as they stand: numbers and booleans.
    pub literal: bool,
}

/// The question cannot be answered; the message names the place in the SQL where it can.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// DataFusion refuses it.
    #[error("{0}")]
    Query(#[from] DataFusionError),
    /// The engine cannot start.
    #[error("cannot start the SQL engine")]
    Start(#[from] std::io::Error),
}

/// Answers `sql` over the Parquet files of a directory. Only reads: statements that change anything are refused.
pub fn query(segments: &Path, sql: &str) -> Result<Table, SqlError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(PARTITIONS).enable_all().build()?;
    Ok(runtime.block_on(ask(segments, sql))?)
}

async fn ask(segments: &Path, sql: &str) -> Result<Table, DataFusionError> {
    let mut config = SessionConfig::new().with_target_partitions(PARTITIONS);
    // Our questions are selective; upstream leaves this off for ones that are not.
    config.options_mut().execution.parquet.pushdown_filters = true;
    let context = SessionContext::new_with_config(config);
    let place = format!("{}/", segments.display());
    context.register_parquet("events", place, ParquetReadOptions::default()).await?;
    let reads = datafusion::execution::context::SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    let frame = context.sql_with_options(sql, reads).await?;
    let literal = |kind: &DataType| kind.is_integer() || *kind == DataType::Boolean;
    let column = |field: &FieldRef| Column { name: field.name().clone(), literal: literal(field.data_type()) };
    let columns = frame.schema().fields().iter().map(column).collect();
    let mut rows = Vec::new();
    for batch in frame.collect().await? {
        let options = FormatOptions::default();
        let formatters = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cell = |(at, formatter): (usize, &ArrayFormatter<'_>)| {
                (!batch.column(at).is_null(row)).then(|| formatter.value(row).to_string())
            };
            rows.push(formatters.iter().enumerate().map(cell).collect());
        }
    }
    Ok(Table { columns, rows })
}
