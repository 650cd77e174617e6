//! `sigma-peer RULES.yml FIELDS.yml EVENTS.ndjson` prints `LINE<tab>ID` for every event (by its line, from zero) and every
//! rule that rsigma says matches it. FIELDS.yml is a pipeline that names the fields as they stand in an audit event.

use std::error::Error;
use std::io::{BufWriter, Write as _};

use rsigma_eval::event::JsonEvent;
use rsigma_eval::{Engine, parse_pipeline};
use rsigma_parser::parse_sigma_yaml;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [rules, fields, events] = arguments.as_slice() else {
        return Err("usage: sigma-peer RULES.yml FIELDS.yml EVENTS.ndjson".into());
    };
    let rules = parse_sigma_yaml(&std::fs::read_to_string(rules)?)?;
    if !rules.errors.is_empty() {
        return Err(format!("{:?}", rules.errors).into());
    }
    let mut engine = Engine::new_with_pipeline(parse_pipeline(&std::fs::read_to_string(fields)?)?);
    engine.add_collection(&rules)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (line, event) in std::fs::read_to_string(events)?.lines().enumerate() {
        let event = serde_json::from_str(event)?;
        for found in engine.evaluate(&JsonEvent::borrow(&event)) {
            writeln!(out, "{line}\t{}", found.header.rule_id.as_deref().unwrap_or_default())?;
        }
    }
    out.flush()?;
    Ok(())
}
