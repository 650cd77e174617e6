//! The languages that findings and stories are told in.

use std::fmt;
use std::str::FromStr;

use crate::finding::{Actor, Finding, Object, Outcome};
use crate::severity::Severity;

/// A language of reports. Machine-readable output is English in every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// 繁體中文.
    TraditionalChinese,
    /// 简体中文.
    SimplifiedChinese,
}

/// A word that names no language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseLanguageError(String);

impl fmt::Display for ParseLanguageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no language of reports; write en, zh-Hant or zh-Hans", self.0)
    }
}

impl std::error::Error for ParseLanguageError {}

impl FromStr for Language {
    type Err = ParseLanguageError;

    fn from_str(tag: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(tag));
        known.ok_or_else(|| ParseLanguageError(tag.to_owned()))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.tag())
    }
}

impl Language {
    /// All languages.
    pub const ALL: [Language; 3] = [Self::English, Self::TraditionalChinese, Self::SimplifiedChinese];

    /// The BCP 47 tag.
    pub fn tag(self) -> &'static str {
        self.pick(["en", "zh-Hant", "zh-Hans"])
    }

    /// The language of a POSIX locale such as `zh_TW.UTF-8`; English if it is none of ours.
    pub fn of_locale(locale: &str) -> Self {
        let name = locale.split(['.', '@']).next().unwrap_or_default().replace('-', "_").to_ascii_lowercase();
        match name.split('_').collect::<Vec<_>>().as_slice() {
            ["zh", rest @ ..] if rest.iter().any(|part| matches!(*part, "tw" | "hk" | "mo" | "hant")) => {
                Self::TraditionalChinese
            }
            ["zh", ..] => Self::SimplifiedChinese,
            _ => Self::English,
        }
    }

    /// The one of three texts that is in this language: English, traditional, simplified.
    pub fn pick<T>(self, [english, traditional, simplified]: [T; 3]) -> T {
        match self {
            Self::English => english,
            Self::TraditionalChinese => traditional,
            Self::SimplifiedChinese => simplified,
        }
    }

    /// How grave, in a word.
    pub fn severity(self, severity: Severity) -> &'static str {
        self.pick(match severity {
            Severity::Informational => ["informational", "資訊", "信息"],
            Severity::Low => ["low", "低", "低"],
            Severity::Medium => ["medium", "中", "中"],
            Severity::High => ["high", "高", "高"],
            Severity::Critical => ["critical", "嚴重", "严重"],
        })
    }

    /// What came of an action, in a word.
    pub fn outcome(self, outcome: Outcome) -> &'static str {
        self.pick(match outcome {
            Outcome::Allowed => ["done", "已執行", "已执行"],
            Outcome::Denied => ["refused", "遭拒絕", "被拒绝"],
            Outcome::Failed => ["failed", "失敗", "失败"],
        })
    }

    /// The sentence of a finding whose rule's title is in this language: who did what to which object, and what it means.
    /// English findings bring their own.
    pub fn sentence(self, finding: &Finding, title: &str) -> String {
        if self == Self::English {
            return finding.story.clone();
        }
        let (who, object) = (self.actor(&finding.actor), self.object(&finding.object));
        let told = match object.is_empty() {
            true => format!("{who}：{title}"),
            false => {
                let (before, after) = self.deed(&finding.verb, &finding.object.subresource);
                format!("{who} {before}{object}{after}：{title}")
            }
        };
        match finding.outcome {
            Outcome::Allowed => told,
            outcome => format!("{told}（{}）", self.outcome(outcome)),
        }
    }

    /// The actor as a reader names it.
    pub fn actor(self, actor: &Actor) -> String {
        if self == Self::English {
            return actor.label();
        }
        let user = match (&actor.service_account, actor.user.as_str()) {
            (Some(account), _) => {
                let what = self.pick(["", "服務帳號", "服务账号"]);
                format!("{what} {}/{}", account.namespace, account.name)
            }
            (None, "") => self.pick(["", "未經身分驗證者", "未经身份验证者"]).to_owned(),
            (None, "system:anonymous") => self.pick(["", "匿名呼叫者", "匿名调用者"]).to_owned(),
            (None, user) => user.to_owned(),
        };
        match &actor.acting_as {
            Some(other) => format!("{user}（以 {other} {}）", self.pick(["", "的名義", "的名义"])),
            None => user,
        }
    }

    /// The object as a reader names it.
    pub fn object(self, object: &Object) -> String {
        match (self, object.namespace.as_str(), object.name.as_str()) {
            (Self::English, ..) | (_, "", _) => object.to_string(),
            (_, namespace, "") if !object.resource.is_empty() => {
                let kind = Object { namespace: String::new(), ..object.clone() };
                format!("{namespace} 的 {kind}")
            }
            _ => object.to_string(),
        }
    }

    /// What stands before and after the object, in Chinese, to tell the verb of a request.
    fn deed(self, verb: &str, subresource: &str) -> (&'static str, &'static str) {
        self.pick(match (verb, subresource) {
            (_, "exec") => [("", ""), ("在 ", " 執行命令"), ("在 ", " 执行命令")],
            (_, "attach") => [("", ""), ("連接到 ", ""), ("连接到 ", "")],
            (_, "portforward") => [("", ""), ("經由 ", " 轉送連接埠"), ("经由 ", " 转发端口")],
            (_, "log") => [("", ""), ("讀取 ", " 的紀錄"), ("读取 ", " 的日志")],
            ("get", _) => [("", ""), ("讀取 ", ""), ("读取 ", "")],
            ("list", _) => [("", ""), ("列出 ", ""), ("列出 ", "")],
            ("watch", _) => [("", ""), ("監看 ", ""), ("监视 ", "")],
            ("create", _) => [("", ""), ("建立 ", ""), ("创建 ", "")],
            ("update" | "patch", _) => [("", ""), ("修改 ", ""), ("修改 ", "")],
            ("delete", _) => [("", ""), ("刪除 ", ""), ("删除 ", "")],
            ("deletecollection", _) => [("", ""), ("全部刪除 ", ""), ("全部删除 ", "")],
            _ => [("", ""), ("存取 ", ""), ("访问 ", "")],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_name_languages() {
        for (locale, language) in [
            ("zh_TW.UTF-8", Language::TraditionalChinese),
            ("zh-Hant", Language::TraditionalChinese),
            ("zh_HK", Language::TraditionalChinese),
            ("zh_CN.UTF-8", Language::SimplifiedChinese),
            ("zh", Language::SimplifiedChinese),
            ("zh_Hans_SG", Language::SimplifiedChinese),
            ("en_US.UTF-8", Language::English),
            ("C", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::of_locale(locale), language, "{locale}");
        }
        assert_eq!("zh-hant".parse(), Ok(Language::TraditionalChinese));
        assert!("de".parse::<Language>().is_err());
    }
}
