//! Families of user agents: which program spoke, by its own word.

/// The program a user agent names. The client chooses its agent, so this is a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AgentFamily<'a>(&'a str);

impl<'a> AgentFamily<'a> {
    /// The part before the first `/`, blank or `(`: `kubectl/v1.36.2 (linux/amd64)` is `kubectl`.
    pub fn of(user_agent: &'a str) -> Self {
        let end = user_agent.find(['/', ' ', '(']).unwrap_or(user_agent.len());
        Self(&user_agent[..end])
    }

    /// The name as written.
    pub fn name(self) -> &'a str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_first_word() {
        for (agent, family) in [
            ("kubectl/v1.36.2 (linux/amd64) kubernetes/abc", "kubectl"),
            ("Go-http-client/2.0", "Go-http-client"),
            ("curl/8.5.0", "curl"),
            ("Mozilla/5.0 (X11)", "Mozilla"),
            ("probe", "probe"),
            ("", ""),
        ] {
            assert_eq!(AgentFamily::of(agent).name(), family);
        }
    }
}
