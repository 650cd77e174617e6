//! Which log a Sigma rule is about.

/// The log a Sigma rule is about. A field that is not given fits every log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of Sigma's logsource")]
pub struct LogSource {
    pub category: Option<String>,
    pub product: Option<String>,
    pub service: Option<String>,
}

impl LogSource {
    /// Whether Kubernetes audit events are such a log.
    pub fn is_kubernetes_audit(&self) -> bool {
        let fits = |given: &Option<String>, names: &[&str]| {
            given.as_ref().is_none_or(|given| names.iter().any(|name| given.eq_ignore_ascii_case(name)))
        };
        let given = self.category.is_some() || self.product.is_some() || self.service.is_some();
        given
            && fits(&self.category, &["application", "audit"])
            && fits(&self.product, &["kubernetes"])
            && fits(&self.service, &["audit"])
    }

    /// Whether every field that `filter` gives is the same here.
    pub fn is_within(&self, filter: &LogSource) -> bool {
        let fits = |wanted: &Option<String>, have: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| have.as_ref().is_none_or(|have| have.eq_ignore_ascii_case(wanted)))
        };
        fits(&filter.category, &self.category)
            && fits(&filter.product, &self.product)
            && fits(&filter.service, &self.service)
    }
}
