//! What is asked: a route and its parameters, or why they cannot be understood.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::http::Method;
use aws_lambda_events::http::header::ACCEPT_LANGUAGE;
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::problem::Problem;
use loyalty_domain::ids::MemberId;
use loyalty_messaging::Language;
use loyalty_runtime::access::Needs;
use loyalty_runtime::http;
use loyalty_store::HISTORY_PAGE_MAX;

use crate::no_member;

/// Entries on a page when nobody says how many.
const LIMIT_DEFAULT: u32 = 20;

/// What one request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Card(MemberId),
    /// The card of the person with a phone number, whichever member they are by now.
    Found(MemberId),
    History {
        member_id: MemberId,
        /// Of whoever goes on, where the member has joined another.
        now: bool,
        limit: u32,
        /// `seq` to go on before.
        before: Option<u64>,
    },
    Vouchers(MemberId),
}

impl Asked {
    /// The same, asked by the person: of the member that they are now.
    #[must_use]
    pub fn by_the_person(self) -> Self {
        match self {
            Self::Card(member_id) => Self::Found(member_id),
            Self::History { member_id, limit, before, .. } => Self::History { member_id, now: true, limit, before },
            other => other,
        }
    }

    /// Who may ask it. Looking for people by their phone is a till's.
    pub fn needs(&self) -> Needs<'_> {
        match self {
            Self::Card(member_id) | Self::Vouchers(member_id) | Self::History { member_id, .. } => {
                Needs::Member(member_id)
            }
            Self::Found(_) => Needs::Till,
        }
    }
}

/// Why a request is not answered with what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Method,
    Problem(Problem),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Reads a request.
///
/// # Errors
/// [`Refused`] with what its sender can do.
pub fn read(request: &ApiGatewayV2httpRequest, key: &MemberKey) -> Result<Asked, Refused> {
    let asked = match http::segments(request).ok_or_else(no_member)?.as_slice() {
        ["members"] => by_phone(request, key).map(Asked::Found),
        ["members", member_id] => Ok(Asked::Card(MemberId::new(*member_id))),
        ["members", member_id, "history"] => history(request, MemberId::new(*member_id)),
        ["members", member_id, "vouchers"] => Ok(Asked::Vouchers(MemberId::new(*member_id))),
        _ => Err(Problem::new(404, "unknown-address", "Unknown address", "There is nothing at this address.")),
    };
    if asked.as_ref().is_err_and(|problem| problem.status == 404) || request.request_context.http.method == Method::GET
    {
        return Ok(asked?);
    }
    Err(Refused::Method)
}

fn by_phone(request: &ApiGatewayV2httpRequest, key: &MemberKey) -> Result<MemberId, Problem> {
    let bad = |detail: &str| Problem::new(400, "bad-phone", "Phone number needed", detail);
    let phone =
        parameter(request, "phone").ok_or_else(|| bad("Ask with a phone number: /members?phone=0901234567."))?;
    let phone = normalise(phone).map_err(|_| {
        bad("This is not certainly one phone number. Write it as 0901234567, or with its country code as +84901234567.")
    })?;
    Ok(key.by_phone(&phone))
}

fn history(request: &ApiGatewayV2httpRequest, member_id: MemberId) -> Result<Asked, Problem> {
    let limit = match parameter(request, "limit") {
        None => LIMIT_DEFAULT,
        Some(limit) => limit.parse().ok().filter(|limit| (1..=HISTORY_PAGE_MAX).contains(limit)).ok_or_else(|| {
            let detail = format!("limit is a whole number from 1 to {HISTORY_PAGE_MAX}.");
            Problem::new(400, "bad-limit", "Limit out of range", detail)
        })?,
    };
    let before = match parameter(request, "cursor") {
        None => None,
        Some(cursor) => Some(seq_of(cursor).ok_or_else(|| {
            let detail =
                "cursor is the next_cursor of the page before, unchanged. Leave it out to begin at the newest.";
            Problem::new(400, "bad-cursor", "Unknown cursor", detail)
        })?),
    };
    Ok(Asked::History { member_id, now: false, limit, before })
}

fn parameter<'a>(request: &'a ApiGatewayV2httpRequest, name: &str) -> Option<&'a str> {
    request.query_string_parameters.first(name)
}

/// The first language of `Accept-Language` that the product speaks; Vietnamese when there is none.
pub fn language(request: &ApiGatewayV2httpRequest) -> Language {
    let accepted = request.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let codes = accepted.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
    codes.filter_map(Language::from_code).next().unwrap_or_default()
}

/// A page's cursor: opaque, so that what it says may change.
pub fn cursor_of(seq: u64) -> String {
    hex::encode(seq.to_string())
}

fn seq_of(cursor: &str) -> Option<u64> {
    let text = String::from_utf8(hex::decode(cursor).ok()?).ok()?;
    let seq = text.parse().ok().filter(|seq| *seq > 0)?;
    (cursor_of(seq) == cursor).then_some(seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_cursors_are_cursors() {
        assert_eq!(seq_of(&cursor_of(17)), Some(17));
        for cursor in ["", "17", "zz", "2b3137", "30", &hex::encode("0"), &hex::encode("17 ")] {
            assert_eq!(seq_of(cursor), None, "{cursor}");
        }
    }
}
