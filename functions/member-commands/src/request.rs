//! What is asked: a route with its ids, the body's bytes, the key.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use loyalty_contract::command::COMMAND_BYTES_MAX;
use loyalty_contract::problem::Problem;
use loyalty_domain::ids::{MemberId, RequestId};
use loyalty_domain::time::Instant;
use loyalty_runtime::access::{Gate, Needs};
use loyalty_runtime::http;

/// A longer key is refused.
const KEY_CHARS_MAX: usize = 200;

/// What one request asks for.
#[derive(Clone, PartialEq, Eq)]
pub enum Asked {
    Redeem(MemberId),
    Confirm(MemberId, RequestId),
    Undo(MemberId, RequestId),
    /// The code as it was typed.
    UseVoucher(String),
    Adjust(MemberId),
    Event,
}

impl Asked {
    /// For logs: it never says whom or what it concerns.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Redeem(_) => "redeem",
            Self::Confirm(..) => "confirm",
            Self::Undo(..) => "undo",
            Self::UseVoucher(_) => "use_voucher",
            Self::Adjust(_) => "adjust",
            Self::Event => "event",
        }
    }
}

impl Asked {
    /// Who may ask it; nobody in particular where the signature of the body says who does.
    pub fn needs(&self) -> Option<Needs<'_>> {
        match self {
            Self::Redeem(member_id) => Some(Needs::Member(member_id)),
            Self::Confirm(..) | Self::Undo(..) | Self::UseVoucher(_) => Some(Needs::Till),
            Self::Adjust(_) => Some(Needs::Operator),
            Self::Event => None,
        }
    }
}

/// Why a request asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The address takes this method only.
    Method(&'static str),
    Problem(Problem),
}

/// A request as API Gateway hands it on. Nothing in it has been believed or parsed.
pub struct Request<'a> {
    event: &'a ApiGatewayV2httpRequest,
}

impl<'a> Request<'a> {
    pub fn of(event: &'a ApiGatewayV2httpRequest) -> Self {
        Self { event }
    }

    /// When API Gateway took it: this command's now. The machine's clock is never read.
    pub fn now(&self) -> Instant {
        DateTime::from_timestamp_millis(self.event.request_context.time_epoch).unwrap_or_default()
    }

    /// Whose verified token it brings.
    pub fn subject(&self, gate: &Gate) -> Option<&'a str> {
        gate.subject(self.event)
    }

    /// A header, whatever the case of its name; `None` too when its value is not text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.event.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// # Errors
    /// [`Refused`] for an address or a method that is not ours.
    pub fn asked(&self) -> Result<Asked, Refused> {
        let unknown = || Problem::new(404, "unknown-address", "Unknown address", "There is nothing at this address.");
        let segments = http::segments(self.event).ok_or_else(|| Refused::Problem(unknown()))?;
        let member = |id: &str| MemberId::new(id);
        let (allowed, asked) = match segments.as_slice() {
            ["members", id, "redemptions"] => (Method::POST, Asked::Redeem(member(id))),
            ["members", id, "redemptions", request, "confirm"] => {
                (Method::POST, Asked::Confirm(member(id), RequestId::new(*request)))
            }
            ["members", id, "redemptions", request] => {
                (Method::DELETE, Asked::Undo(member(id), RequestId::new(*request)))
            }
            ["members", id, "adjustments"] => (Method::POST, Asked::Adjust(member(id))),
            ["vouchers", code, "use"] => {
                // Decoded, where the gateway says so: a code may be typed with a space in it.
                let typed = self.event.path_parameters.get("code").map_or(*code, String::as_str);
                (Method::POST, Asked::UseVoucher(typed.to_owned()))
            }
            ["events"] => (Method::POST, Asked::Event),
            _ => return Err(Refused::Problem(unknown())),
        };
        match self.event.request_context.http.method == allowed {
            true => Ok(asked),
            false if allowed == Method::DELETE => Err(Refused::Method("DELETE")),
            false => Err(Refused::Method("POST")),
        }
    }

    /// The key that makes two commands the same.
    ///
    /// # Errors
    /// 400 when it is missing or unfit.
    pub fn idempotency_key(&self) -> Result<&'a str, Problem> {
        let bad = |detail: String| Problem::new(400, "bad-idempotency-key", "Idempotency-Key needed", detail);
        let key = self.header("idempotency-key").map(str::trim).filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| {
            bad("Send the header Idempotency-Key with a value of your own for this command, such as a UUID, and the same \
                 value when you repeat it."
                .to_owned())
        })?;
        if key.len() > KEY_CHARS_MAX {
            return Err(bad(format!("Idempotency-Key has at most {KEY_CHARS_MAX} characters.")));
        }
        Ok(key)
    }

    /// The bytes that were sent: what is signed.
    ///
    /// # Errors
    /// 413 for a body that is too long, 400 for one that is not what the gateway says.
    pub fn body(&self) -> Result<Vec<u8>, Problem> {
        let too_large = || {
            let detail = format!("A command has at most {COMMAND_BYTES_MAX} bytes.");
            Problem::new(413, "too-large", "Body too large", detail)
        };
        let body = self.event.body.as_deref().unwrap_or_default();
        let bytes = if self.event.is_base64_encoded {
            // Measured before it is decoded: four characters for three bytes.
            if body.len() / 4 * 3 > COMMAND_BYTES_MAX + 2 {
                return Err(too_large());
            }
            let unreadable = |_| Problem::new(400, "unreadable", "Body not readable", "The body is not base64.");
            STANDARD.decode(body).map_err(unreadable)?
        } else {
            body.as_bytes().to_vec()
        };
        if bytes.len() > COMMAND_BYTES_MAX { Err(too_large()) } else { Ok(bytes) }
    }
}
