//! Answers to API Gateway: JSON or a problem, never stored by anybody in between.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use aws_lambda_events::http::{HeaderName, HeaderValue};
use loyalty_contract::problem::{PROBLEM_JSON, Problem};
use serde::Serialize;

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
