//! The request as API Gateway hands it on.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use loyalty_contract::webhook::BODY_BYTES_MAX;

/// Why there is no body to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBody {
    TooLong,
    NotBase64,
}

/// What the door looks at. Nothing in it has been believed or parsed.
pub struct Request<'a> {
    event: &'a ApiGatewayV2httpRequest,
}

impl<'a> Request<'a> {
    pub fn of(event: &'a ApiGatewayV2httpRequest) -> Self {
        Self { event }
    }

    pub fn method(&self) -> &str {
        self.event.request_context.http.method.as_str()
    }

    /// `{source}` of the route.
    pub fn source_name(&self) -> &str {
        match self.event.path_parameters.get("source") {
            Some(source) => source,
            None => self.event.raw_path.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or_default(),
        }
    }

    /// When API Gateway took the request: this delivery's now. The machine's clock is never read.
    pub fn received_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.event.request_context.time_epoch).unwrap_or_default()
    }

    /// A header, whatever the case of its name; `None` too when its value is not text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.event.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The values of all headers.
    pub fn header_values(&self) -> impl Iterator<Item = &'a str> {
        self.event.headers.values().filter_map(|value| value.to_str().ok())
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.event.query_string_parameters.first(name)
    }

    /// The bytes the shop sent: what it signed.
    pub fn body(&self) -> Result<Vec<u8>, NoBody> {
        let body = self.event.body.as_deref().unwrap_or_default();
        if !self.event.is_base64_encoded {
            return if body.len() > BODY_BYTES_MAX { Err(NoBody::TooLong) } else { Ok(body.as_bytes().to_vec()) };
        }
        // Measured before it is decoded: four characters for three bytes.
        if body.len() / 4 * 3 > BODY_BYTES_MAX + 2 {
            return Err(NoBody::TooLong);
        }
        let bytes = STANDARD.decode(body).map_err(|_| NoBody::NotBase64)?;
        if bytes.len() > BODY_BYTES_MAX { Err(NoBody::TooLong) } else { Ok(bytes) }
    }
}
