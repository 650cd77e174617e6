//! `rules show` and `rules explain`.

use std::io::Write;
use std::process::ExitCode;

use finding::Language;
use rule::{Condition, Correlation, Dictionary, RuleSet};

use super::{Entry, Kind, compile, find, text_of};
use crate::rulesets::Choice;

#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// Id, name or title of the rule
    rule: String,
    #[command(flatten)]
    rules: Choice,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// Id, name or title of the rule
    rule: String,
    #[command(flatten)]
    rules: Choice,
    /// Language: en, zh-Hant, zh-Hans
    #[arg(long, default_value_t, value_name = "LANGUAGE")]
    lang: Language,
}

impl Show {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let set = compile(&self.rules)?;
        let entry = find(&set, &self.rule)?;
        let mut out = anstream::stdout().lock();
        writeln!(out, "# {}", entry.meta.file)?;
        out.write_all(text_of(&entry.meta.file)?.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Explain {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let set = compile(&self.rules)?;
        let dictionary = Dictionary::of(self.lang.tag());
        let mut entry = find(&set, &self.rule)?;
        entry.translate(dictionary.as_ref());
        let telling = Telling { language: self.lang, dictionary: dictionary.as_ref() };
        telling.tell(&mut anstream::stdout().lock(), &set, &entry)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Tells a rule in a language.
struct Telling<'d> {
    language: Language,
    dictionary: Option<&'d Dictionary>,
}

impl Telling<'_> {
    fn tell(&self, out: &mut impl Write, set: &RuleSet, entry: &Entry<'_>) -> std::io::Result<()> {
        let level = self.language.severity(entry.meta.level);
        writeln!(out, "{} [{level}]\n", entry.title)?;
        if !entry.description.trim().is_empty() {
            writeln!(out, "{}\n", entry.description.trim())?;
        }
        match entry.kind {
            Kind::Rule(rule) => {
                writeln!(out, "{}", self.language.pick(["It matches when:", "符合條件：", "匹配条件："]))?;
                self.condition(out, &rule.condition, 1)?;
                self.needs(out, rule)?;
            }
            Kind::Correlation(correlation) => self.correlation(out, correlation)?,
        }
        self.section(out, ["ATT&CK:"; 3], &entry.meta.techniques)?;
        let alarms: Vec<String> = entry.meta.false_positives.iter().map(|alarm| self.phrase(alarm)).collect();
        self.section(out, ["What makes it a false alarm:", "可能是誤報的情形：", "可能是误报的情形："], &alarms)?;
        self.containment(out, entry.meta.extension.containment.trim())?;
        self.section(out, ["References:", "參考資料：", "参考资料："], &entry.meta.references)?;
        let problems = set.problems().iter().filter(|problem| problem.file == entry.meta.file);
        problems.into_iter().try_for_each(|problem| writeln!(out, "\n{problem}"))
    }

    fn phrase(&self, english: &str) -> String {
        self.dictionary.map_or(english, |dictionary| dictionary.phrase(english)).to_owned()
    }

    fn containment(&self, out: &mut impl Write, advice: &str) -> std::io::Result<()> {
        if advice.is_empty() {
            return Ok(());
        }
        let heading = self.language.pick(["Containment:", "處置：", "处置："]);
        let advice = self.dictionary.map_or(advice.to_owned(), |dictionary| dictionary.containment(advice));
        writeln!(out, "\n{heading}\n  {}", advice.replace('\n', "\n  "))
    }

    fn correlation(&self, out: &mut impl Write, correlation: &Correlation) -> std::io::Result<()> {
        let (kind, of) = (correlation.kind.name(), correlation.rules.join(", "));
        let (seconds, by) = (correlation.timespan_seconds, self.list(&correlation.group_by));
        let told = self.language.pick([
            format!("It is a correlation ({kind}) of: {of}\n  within {seconds} s, by {by}"),
            format!("這是關聯規則（{kind}），由下列規則組成：{of}\n  {seconds} 秒內，依 {by} 分組"),
            format!("这是关联规则（{kind}），由下列规则组成：{of}\n  {seconds} 秒内，按 {by} 分组"),
        ]);
        writeln!(out, "{told}")?;
        let number = self.language.pick(["when the number is", "當數量", "当数量"]);
        correlation.bounds.0.iter().try_for_each(|(order, bound)| writeln!(out, "  {number} {} {bound}", order.sign()))
    }

    fn needs(&self, out: &mut impl Write, rule: &rule::Rule) -> std::io::Result<()> {
        let level = rule.needs.level.map_or(self.language.pick(["any", "不限", "不限"]), audit::Level::name);
        let stages: Vec<String> = rule.needs.stages.iter().map(|stage| stage.name().to_owned()).collect();
        let stages = match stages.is_empty() {
            true => self.language.pick(["the last of a request", "請求的最後階段", "请求的最后阶段"]).to_owned(),
            false => stages.join(", "),
        };
        let fields = self.list(&rule.needs.fields);
        let told = self.language.pick([
            format!("Needs: audit level {level}, stage {stages}\nReads: {fields}"),
            format!("需要：稽核層級 {level}，階段 {stages}\n讀取欄位：{fields}"),
            format!("需要：审计级别 {level}，阶段 {stages}\n读取字段：{fields}"),
        ]);
        writeln!(out, "\n{told}")
    }

    fn list(&self, words: &[String]) -> String {
        match words.is_empty() {
            true => self.language.pick(["nothing", "無", "无"]).to_owned(),
            false => words.join(", "),
        }
    }

    fn section(&self, out: &mut impl Write, title: [&str; 3], lines: &[String]) -> std::io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{}", self.language.pick(title))?;
        lines.iter().try_for_each(|line| writeln!(out, "  - {line}"))
    }

    /// The condition as an indented tree. Conditions are bounded in depth when they are loaded.
    fn condition(&self, out: &mut impl Write, tree: &Condition, depth: usize) -> std::io::Result<()> {
        let pad = "  ".repeat(depth);
        let (word, parts): (_, &[Condition]) = match tree {
            Condition::All(parts) => (["all of", "全部符合", "全部满足"], parts),
            Condition::Any(parts) => (["any of", "任一符合", "任一满足"], parts),
            Condition::Not(inner) => (["not", "不符合", "不满足"], std::slice::from_ref(&**inner)),
            Condition::Test(predicate) => {
                let test = rule::test_in_words(&predicate.test);
                let test = self.dictionary.map_or(test.clone(), |dictionary| dictionary.condition(&test));
                return writeln!(out, "{pad}{} {test}", predicate.field.name());
            }
            Condition::Always(truth) => {
                let always = self.language.pick(["always", "一律為", "始终为"]);
                return writeln!(out, "{pad}{always} {truth:?}");
            }
        };
        if let ([only], false) = (parts, matches!(tree, Condition::Not(_))) {
            return self.condition(out, only, depth);
        }
        writeln!(out, "{pad}{}", self.language.pick(word))?;
        parts.iter().try_for_each(|part| self.condition(out, part, depth + 1))
    }
}
