//! Which route of the template a request takes: literal segments before parameters, parameters
//! before a greedy rest, a named method before `ANY`.

use std::collections::BTreeMap;

use crate::template::Route;

/// The routes of the template, ready to match.
#[derive(Debug, Default)]
pub struct Routes {
    routes: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    method: String,
    path: String,
    segments: Vec<Segment>,
    function: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    // In order of preference.
    Literal(String),
    Parameter(String),
    Rest(String),
}

/// A route that fits a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Matched {
    /// `POST /webhooks/{source}`.
    pub key: String,
    pub function: String,
    pub parameters: BTreeMap<String, String>,
}

impl Routes {
    /// Reads the paths of the template.
    pub fn new(routes: &[Route]) -> Self {
        Self {
            routes: routes
                .iter()
                .map(|route| Pattern {
                    method: route.method.clone(),
                    path: route.path.clone(),
                    segments: segments(&route.path),
                    function: route.function.clone(),
                })
                .collect(),
        }
    }

    /// The best route for a request, if any.
    pub fn find(&self, method: &str, path: &str) -> Option<Matched> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (pattern, parameters) = self
            .routes
            .iter()
            .filter(|pattern| pattern.method == method || pattern.method == "ANY")
            .filter_map(|pattern| Some((pattern, parameters(&pattern.segments, &parts)?)))
            .min_by_key(|(pattern, _)| (rank(&pattern.segments), pattern.method == "ANY"))?;
        Some(Matched {
            key: format!("{} {}", pattern.method, pattern.path),
            function: pattern.function.clone(),
            parameters,
        })
    }
}

fn segments(path: &str) -> Vec<Segment> {
    path.trim_matches('/')
        .split('/')
        .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            None => Segment::Literal(part.to_owned()),
            Some(name) => match name.strip_suffix('+') {
                None => Segment::Parameter(name.to_owned()),
                Some(name) => Segment::Rest(name.to_owned()),
            },
        })
        .collect()
}

fn rank(segments: &[Segment]) -> Vec<u8> {
    segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Parameter(_) => 1,
            Segment::Rest(_) => 2,
        })
        .collect()
}

fn parameters(segments: &[Segment], parts: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (index, segment) in segments.iter().enumerate() {
        match segment {
            Segment::Rest(name) => {
                let rest = parts.get(index..).filter(|rest| !rest.is_empty())?;
                found.insert(name.clone(), decode(&rest.join("/")));
                return Some(found);
            }
            Segment::Literal(text) => {
                if parts.get(index)? != text {
                    return None;
                }
            }
            Segment::Parameter(name) => {
                let part = parts.get(index).filter(|part| !part.is_empty())?;
                found.insert(name.clone(), decode(part));
            }
        }
    }
    (parts.len() == segments.len()).then_some(found)
}

/// Percent-decoding; a broken escape stays as it is.
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(value) => {
                bytes.push(value);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(paths: &[(&str, &str, &str)]) -> Routes {
        let routes: Vec<Route> = paths
            .iter()
            .map(|(method, path, function)| Route {
                method: (*method).to_owned(),
                path: (*path).to_owned(),
                function: (*function).to_owned(),
            })
            .collect();
        Routes::new(&routes)
    }

    fn function(routes: &Routes, method: &str, path: &str) -> Option<String> {
        routes.find(method, path).map(|matched| matched.function)
    }

    #[test]
    fn the_most_literal_route_wins() {
        let routes = routes(&[
            ("ANY", "/{proxy+}", "rest"),
            ("GET", "/members/{member_id}", "member"),
            ("GET", "/members/search", "search"),
            ("POST", "/webhooks/{source}", "webhook"),
        ]);
        assert_eq!(function(&routes, "GET", "/members/search").as_deref(), Some("search"));
        assert_eq!(function(&routes, "GET", "/members/m_1").as_deref(), Some("member"));
        assert_eq!(function(&routes, "GET", "/members/m_1/x").as_deref(), Some("rest"));
        assert_eq!(function(&routes, "PUT", "/webhooks/shopify").as_deref(), Some("rest"));
    }

    #[test]
    fn nothing_matches_an_unknown_path_or_method() {
        let routes = routes(&[("GET", "/members/{member_id}", "member")]);
        assert_eq!(function(&routes, "POST", "/members/m_1"), None);
        assert_eq!(function(&routes, "GET", "/members"), None);
        assert_eq!(function(&routes, "GET", "/members/"), None);
    }

    #[test]
    fn parameters_are_decoded() {
        let routes = routes(&[("GET", "/m/{id}", "f")]);
        let matched = routes.find("GET", "/m/a%20b%zz").unwrap();
        assert_eq!(matched.parameters["id"], "a b%zz");
        assert_eq!(matched.key, "GET /m/{id}");
    }
}
