//! `rules list`.

use std::io::Write as _;
use std::process::ExitCode;

use finding::Language;
use rule::Dictionary;
use serde_json::json;

use super::{Entry, Kind, Role, compile, entries};
use crate::exit;
use crate::rulesets::Choice;

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    rules: Choice,
    /// Output
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
    /// Language of the table's titles: en, zh-Hant, zh-Hans
    #[arg(long, default_value_t, value_name = "LANGUAGE")]
    lang: Language,
    /// Also list the parts of correlations, which make no findings of their own
    #[arg(long)]
    parts: bool,
    /// Only rules with this word in id, name, title, tactic or technique
    filter: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Table,
    Wide,
    Json,
    Ndjson,
}

impl List {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let set = compile(&self.rules)?;
        let mut shown = entries(&set);
        if let Some(word) = &self.filter {
            shown.retain(|entry| matches(entry, &word.to_lowercase()));
        }
        let parts = if self.parts { 0 } else { hide_parts(&mut shown) };
        let dictionary = Dictionary::of(self.lang.tag());
        if matches!(self.output, Output::Table | Output::Wide) {
            shown.iter_mut().for_each(|entry| entry.translate(dictionary.as_ref()));
        }
        let mut out = anstream::stdout().lock();
        match self.output {
            Output::Json => {
                writeln!(out, "{}", serde_json::to_string_pretty(&shown.iter().map(object).collect::<Vec<_>>())?)?;
            }
            Output::Ndjson => shown.iter().try_for_each(|entry| writeln!(out, "{}", object(entry)))?,
            Output::Table | Output::Wide => {
                table(&mut out, &shown, self.output == Output::Wide)?;
                writeln!(out, "\n{}", counted(&shown, parts))?;
            }
        }
        Ok(exit::found(!shown.is_empty()))
    }
}

/// Takes the parts of correlations out and says how many there were.
fn hide_parts(shown: &mut Vec<Entry<'_>>) -> usize {
    let before = shown.len();
    shown.retain(|entry| entry.role == Role::Rule);
    before - shown.len()
}

fn counted(shown: &[Entry<'_>], hidden: usize) -> String {
    let rules = shown.iter().filter(|entry| entry.role == Role::Rule).count();
    match (shown.len() - rules, hidden) {
        (0, 0) => format!("{rules} rules"),
        (parts, 0) => format!("{rules} rules, {parts} parts of correlations"),
        (_, hidden) => format!("{rules} rules ({hidden} parts of correlations not shown; --parts lists them)"),
    }
}

fn matches(entry: &Entry<'_>, word: &str) -> bool {
    let meta = entry.meta;
    let texts = [meta.id.as_str(), meta.name.as_deref().unwrap_or_default(), &meta.title].into_iter();
    let lists = meta.tactics.iter().chain(&meta.techniques).map(String::as_str);
    texts.chain(lists).any(|text| text.to_lowercase().contains(word))
}

fn table(out: &mut impl std::io::Write, shown: &[Entry<'_>], wide: bool) -> std::io::Result<()> {
    writeln!(
        out,
        "{:<13}  {:<8}  {:<11}  {}TITLE",
        "LEVEL",
        "SOURCE",
        "TECHNIQUE",
        if wide { "ID                                    " } else { "" }
    )?;
    for entry in shown {
        let id = if wide { format!("{:<36}  ", entry.meta.id) } else { String::new() };
        let technique = entry.meta.techniques.first().map_or("", String::as_str);
        writeln!(
            out,
            "{:<13}  {:<8}  {technique:<11}  {id}{}",
            entry.meta.level.name(),
            entry.meta.origin.name(),
            entry.title
        )?;
    }
    Ok(())
}

fn object(entry: &Entry<'_>) -> serde_json::Value {
    json!({
        "id": entry.meta.id,
        "name": entry.meta.name,
        "title": entry.title,
        "level": entry.meta.level.name(),
        "source": entry.meta.origin.name(),
        "kind": match (entry.kind, entry.role) {
            (_, Role::Part) => "part",
            (Kind::Rule(_), _) => "rule",
            (Kind::Correlation(_), _) => "correlation",
        },
        "techniques": entry.meta.techniques,
        "tactics": entry.meta.tactics,
        "matrix": entry.meta.extension.matrix,
        "file": entry.meta.file,
    })
}
