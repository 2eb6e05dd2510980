//! What the shop is told.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::HeaderValue;
use aws_lambda_events::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use loyalty_contract::problem::{PROBLEM_JSON, Problem};
use loyalty_contract::queue::Source;
use loyalty_contract::webhook::ParseError;
use loyalty_contract::zalo::ZALO;

/// After how many seconds a shop may try again when the failure is ours.
const RETRY_AFTER_SECONDS: &str = "30";

/// An answer: a status, a body and what its type is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

impl Answer {
    fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, content_type: "application/json", body: body.to_string() }
    }

    fn problem(problem: &Problem) -> Self {
        Self { status: problem.status, content_type: PROBLEM_JSON, body: problem.to_json() }
    }

    pub fn into_response(self) -> ApiGatewayV2httpResponse {
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = i64::from(self.status);
        let headers = &mut response.headers;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.status == 503 {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        if self.status == 405 {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response.body = Some(Body::Text(self.body));
        response
    }
}

/// Everything of the delivery lies in the queue. Our own door says 202, as it means; the shops' documentation speaks of
/// 200, so they get that.
pub fn accepted(source: Source, queued: usize, set_aside: usize, ignored: &[&str]) -> Answer {
    let status = if source == Source::Standard { 202 } else { 200 };
    Answer::json(status, &serde_json::json!({"queued": queued, "set_aside": set_aside, "ignored": ignored}))
}

/// WooCommerce's ping, and a look at KiotViet's door: nothing to do.
pub fn nothing() -> Answer {
    Answer { status: 200, content_type: "text/plain; charset=utf-8", body: String::new() }
}

/// Proof that the address is ours (Haravan).
pub fn challenge(text: &str) -> Answer {
    Answer { status: 200, content_type: "text/plain; charset=utf-8", body: text.to_owned() }
}

pub fn not_queued() -> Answer {
    Answer::problem(&Problem::new(
        503,
        "not-queued",
        "Not taken",
        "The delivery could not be stored. Nothing of it is lost: send it again.",
    ))
}

/// A refusal, in the status its shop can bear. KiotViet stops calling for ever after one 400, 401, 403, 404 or 405, so
/// there each of them is a 503, which it tries again; whoever else sent it learns as little.
pub fn refusal(source: Source, problem: &Problem) -> Answer {
    const KIOTVIET_GIVES_UP_AT: [u16; 5] = [400, 401, 403, 404, 405];
    if source == Source::KiotViet && KIOTVIET_GIVES_UP_AT.contains(&problem.status) {
        return Answer::problem(&Problem { status: 503, ..problem.clone() });
    }
    Answer::problem(problem)
}

/// What Zalo is thanked with: its events hold no orders.
pub fn zalo_accepted(queued: usize, ignored: &[&str]) -> Answer {
    Answer::json(200, &serde_json::json!({"queued": queued, "set_aside": 0, "ignored": ignored}))
}

/// What Zalo is refused with. It calls again after half a minute, then for two hours, and stops for ever when each of
/// that failed: the fault is told as one of ours, which somebody may mend until then; whoever else sent it learns as
/// little.
pub fn zalo_refusal(problem: &Problem) -> Answer {
    Answer::problem(&Problem { status: 503, ..problem.clone() })
}

pub fn unknown_source() -> Answer {
    let mut known = Source::ALL.map(Source::as_str).to_vec();
    known.push(ZALO);
    let known = known.join(", ");
    Answer::problem(&Problem::new(404, "unknown-source", "Unknown source", format!("The sources are {known}.")))
}

/// Whoever asks so is not Zalo, which delivers.
pub fn wrong_method() -> Answer {
    Answer::problem(&Problem::new(405, "method", "Method not allowed", "Deliver by POST."))
}

/// The problem of a body that cannot be taken.
pub fn unreadable(error: ParseError) -> Problem {
    let detail = format!("{error}.");
    match error {
        ParseError::TooLong => Problem::new(413, "too-large", "Body too large", detail),
        ParseError::UnsupportedType => Problem::new(422, "unsupported-type", "Type not supported", detail),
        _ => Problem::new(400, "unreadable", "Body not readable", detail),
    }
}
