//! Addresses of API Gateway's requests, and answers: JSON or a problem, never stored by anybody in between.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use aws_lambda_events::http::{HeaderName, HeaderValue};
use loyalty_contract::problem::{PROBLEM_JSON, Problem};
use serde::Serialize;

/// No id of ours is longer, and no code that a customer shows.
const SEGMENT_CHARS_MAX: usize = 128;

/// The parts of a request's address; `None` where one is too long to be anything of ours.
pub fn segments(request: &ApiGatewayV2httpRequest) -> Option<Vec<&str>> {
    let path = request.raw_path.as_deref().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    segments.iter().all(|segment| segment.len() <= SEGMENT_CHARS_MAX).then_some(segments)
}

/// A body as JSON.
///
/// # Panics
/// For a type that JSON cannot hold: its map has keys that are no text.
pub fn json<T: Serialize>(status: u16, body: &T) -> ApiGatewayV2httpResponse {
    let body = serde_json::to_string(body).expect("answers are plain data");
    response(status, "application/json", body)
}

/// A problem, in its own media type.
pub fn problem(problem: &Problem) -> ApiGatewayV2httpResponse {
    response(problem.status, PROBLEM_JSON, problem.to_json())
}

/// The one answer to a method that a route does not have. `allowed` is what it has: `GET`.
pub fn method_not_allowed(allowed: &'static str) -> ApiGatewayV2httpResponse {
    let detail = format!("This address takes {allowed} only.");
    let refused = Problem::new(405, "method-not-allowed", "Method not allowed", detail);
    with_header(problem(&refused), ALLOW, allowed)
}

fn response(status: u16, content_type: &'static str, body: String) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = i64::from(status);
    response.body = Some(Body::Text(body));
    let response = with_header(response, CONTENT_TYPE, content_type);
    let response = with_header(response, CACHE_CONTROL, "no-store");
    with_header(response, X_CONTENT_TYPE_OPTIONS, "nosniff")
}

fn with_header(
    mut response: ApiGatewayV2httpResponse,
    name: HeaderName,
    value: &'static str,
) -> ApiGatewayV2httpResponse {
    response.headers.insert(name, HeaderValue::from_static(value));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_method_says_what_is_allowed() {
        let answer = method_not_allowed("GET");
        assert_eq!(answer.status_code, 405);
        assert_eq!(answer.headers[ALLOW], "GET");
        assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(answer.headers[CACHE_CONTROL], "no-store");
    }
}
