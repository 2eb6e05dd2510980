//! What every HTTP error looks like: `application/problem+json` (RFC 9457).
//!
//! `detail` is a sentence its reader can act on. It never repeats what was sent: no body, phone, name or secret.

use serde::Serialize;

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A problem, named by a `type` that stays the same while the wording may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: &'static str,
    pub status: u16,
    pub detail: String,
}

impl Problem {
    /// `slug` names the kind of problem: `bad-signature`.
    pub fn new(status: u16, slug: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: format!("urn:loyalty:problem:{slug}"), title, status, detail: detail.into() }
    }

    /// The body of the answer.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and a number are always JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_members_of_the_standard() {
        let problem = Problem::new(401, "bad-signature", "Bad signature", "Sign the raw body.");
        let json: serde_json::Value = serde_json::from_str(&problem.to_json()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"type": "urn:loyalty:problem:bad-signature", "title": "Bad signature", "status": 401,
                "detail": "Sign the raw body."})
        );
    }
}
