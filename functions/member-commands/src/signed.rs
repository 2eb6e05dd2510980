//! Commands that prove who sends them: operators' adjustments and the events of the shop's back end.
//!
//! Standard Webhooks, with the secret of the generic order webhook. The raw body is verified before a byte of it is
//! parsed.

use loyalty_contract::problem::Problem;
use loyalty_signatures::{Refusal, SecretError, StandardDelivery, StandardSecrets};

use crate::request::Request;

/// The live secrets, if there are any that can be used.
pub struct Signer(Option<Result<StandardSecrets, SecretError>>);

impl Signer {
    pub fn new(secret: Option<&str>) -> Self {
        let secrets = secret.map(StandardSecrets::parse);
        if let Some(Err(error)) = &secrets {
            tracing::error!(%error, "WEBHOOK_SECRET_STANDARD cannot be used: signed commands are refused");
        }
        Self(secrets)
    }

    /// # Errors
    /// 401 when the signature is not by a live secret; 404 and 503 when there is none to verify with.
    pub fn verify(&self, request: &Request<'_>, body: &[u8]) -> Result<(), Problem> {
        let secrets = match &self.0 {
            Some(Ok(secrets)) => secrets,
            Some(Err(_)) => {
                let detail =
                    "The secret for signed commands is not set up as it should be; its operator has to mend it.";
                return Err(Problem::new(503, "not-configured", "Not ready", detail));
            }
            None => {
                let detail = "There is no secret for signed commands here: set WEBHOOK_SECRET_STANDARD.";
                return Err(Problem::new(404, "no-secret", "Not set up", detail));
            }
        };
        let delivery = StandardDelivery {
            id: request.header("webhook-id"),
            timestamp: request.header("webhook-timestamp"),
            signature: request.header("webhook-signature"),
            body,
        };
        secrets.verify(delivery, request.now().timestamp()).map_err(|refusal| {
            tracing::warn!(%refusal, "a signed command was not believed");
            let detail = format!(
                "This command is signed as Standard Webhooks, with webhook-id, webhook-timestamp and webhook-signature \
                 over the raw body: {refusal}."
            );
            Problem::new(401, slug(refusal), "Not authenticated", detail)
        })
    }
}

fn slug(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Missing => "no-signature",
        Refusal::Malformed | Refusal::Mismatch => "bad-signature",
        Refusal::Stale => "stale-timestamp",
    }
}
