//! Who may do what: the groups of a token that API Gateway has verified.
//!
//! The gateway lets nobody through without a token of the right issuer; what the bearer may see and do is asked here, route
//! by route. Nothing here verifies a signature, so claims count only where the gateway put them. A function without the
//! setting does not start, and a route without claims is refused: forgetting closes the door.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::problem::Problem;
use loyalty_domain::ids::MemberId;

use crate::config::{ConfigError, Environment};

/// The variable that says whether tokens are asked for: `tokens`, or `open` where only this machine reaches the door.
pub const ACCESS: &str = "ACCESS";
/// The variable that names the claim of groups; [`GROUPS_CLAIM_DEFAULT`] unless set.
pub const GROUPS_CLAIM: &str = "GROUPS_CLAIM";
/// The variable that names the claim of a member's id; [`MEMBER_CLAIM_DEFAULT`] unless set.
pub const MEMBER_CLAIM: &str = "MEMBER_CLAIM";

const GROUPS_CLAIM_DEFAULT: &str = "cognito:groups";
const MEMBER_CLAIM_DEFAULT: &str = "custom:member_id";
/// Of OpenID Connect: who has a number, and whether the issuer has seen that they have it.
const PHONE_CLAIM: &str = "phone_number";
const PHONE_VERIFIED_CLAIM: &str = "phone_number_verified";

const SUBJECT_CLAIM: &str = "sub";
/// OpenID Connect lets no subject be longer.
const SUBJECT_CHARS_MAX: usize = 255;

const TILL: &str = "till";
const OPERATOR: &str = "operator";

/// What a route asks of whoever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs<'a> {
    /// To be this member, or a till.
    Member(&'a MemberId),
    Till,
    Operator,
}

/// Who was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// The member themselves.
    Member,
    /// A till, an operator, or whoever reaches an open door.
    Staff,
}

/// The door of the functions that show and change members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Nobody is asked.
    Open,
    Tokens {
        groups_claim: String,
        member_claim: String,
    },
}

impl Gate {
    /// # Errors
    /// [`ConfigError`] where nothing, or nothing known, says whether tokens are asked for.
    pub fn of<F: Fn(&str) -> Option<String>>(environment: &Environment<F>) -> Result<Self, ConfigError> {
        let or = |name, default: &str| environment.required(name).unwrap_or_else(|_| default.to_owned());
        match environment.required(ACCESS)?.as_str() {
            "open" => Ok(Self::Open),
            "tokens" => Ok(Self::Tokens {
                groups_claim: or(GROUPS_CLAIM, GROUPS_CLAIM_DEFAULT),
                member_claim: or(MEMBER_CLAIM, MEMBER_CLAIM_DEFAULT),
            }),
            _ => Err(ConfigError::Unusable(ACCESS)),
        }
    }

    /// Lets a request pass that brings what its route needs. An operator may do what a till may, and a till sees every
    /// member; a member is who the member claim names, else who has the verified phone number.
    ///
    /// # Errors
    /// 401 without the claims of a token, 403 with those of somebody else.
    pub fn admit(
        &self,
        request: &ApiGatewayV2httpRequest,
        needs: Needs<'_>,
        key: &MemberKey,
    ) -> Result<Bearer, Box<Problem>> {
        let Self::Tokens { groups_claim, member_claim } = self else { return Ok(Bearer::Staff) };
        let authorizer = request.request_context.authorizer.as_ref();
        let claims = authorizer.and_then(|authorizer| authorizer.jwt.as_ref()).map(|jwt| &jwt.claims);
        let claims = claims.filter(|claims| !claims.is_empty()).ok_or_else(no_token)?;
        let claim = |name: &str| claims.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let groups = groups(claim(groups_claim).unwrap_or_default());
        let operator = groups.iter().any(|group| group == OPERATOR);
        let till = operator || groups.iter().any(|group| group == TILL);
        let admitted = match needs {
            Needs::Operator => operator,
            Needs::Till => till,
            Needs::Member(member_id) => {
                till || match claim(member_claim) {
                    Some(named) => named == member_id.as_str(),
                    None => {
                        claim(PHONE_VERIFIED_CLAIM) == Some("true")
                            && claim(PHONE_CLAIM)
                                .and_then(|phone| normalise(phone).ok())
                                .is_some_and(|phone| key.by_phone(&phone) == *member_id)
                    }
                }
            }
        };
        match (admitted, till) {
            (true, true) => Ok(Bearer::Staff),
            (true, false) => Ok(Bearer::Member),
            (false, _) => Err(not_allowed(needs)),
        }
    }

    /// Whose token a request brings, as its issuer calls them, for the books. It may be an address at some issuers, so no
    /// log has it. `None` where no token is asked for: what nobody verified proves nothing.
    pub fn subject<'a>(&self, request: &'a ApiGatewayV2httpRequest) -> Option<&'a str> {
        if *self == Self::Open {
            return None;
        }
        let subject = request.request_context.authorizer.as_ref()?.jwt.as_ref()?.claims.get(SUBJECT_CLAIM)?;
        let end = subject.char_indices().nth(SUBJECT_CHARS_MAX).map_or(subject.len(), |(at, _)| at);
        subject.get(..end).filter(|subject| !subject.is_empty())
    }
}

/// The groups of a claim. The gateway writes a list as `[till operator]`; other issuers have one group, or a JSON list.
fn groups(claim: &str) -> Vec<String> {
    if let Ok(listed) = serde_json::from_str::<Vec<String>>(claim) {
        return listed;
    }
    let bare = claim.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(claim);
    bare.split_whitespace().map(str::to_owned).collect()
}

fn no_token() -> Box<Problem> {
    let detail = "Send a token of this API's issuer: Authorization: Bearer … Sign in again if yours is old.";
    Box::new(Problem::new(401, "no-token", "Not authenticated", detail))
}

fn not_allowed(needs: Needs<'_>) -> Box<Problem> {
    let detail = match needs {
        Needs::Member(_) => "This token is another person's. A member sees their own points; a till sees everybody's.",
        Needs::Till => "This takes a token of the group till or operator.",
        Needs::Operator => "This takes a token of the group operator.",
    };
    Box::new(Problem::new(403, "not-allowed", "Not allowed", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PHONE: &str = "+84901234567";

    fn key() -> MemberKey {
        MemberKey::new("an installation's key of 32 bytes").unwrap()
    }

    fn gate() -> Gate {
        let environment = Environment::new(|name: &str| (name == ACCESS).then(|| "tokens".to_owned()));
        Gate::of(&environment).unwrap()
    }

    fn request(claims: serde_json::Value) -> ApiGatewayV2httpRequest {
        let authorizer = json!({"jwt": {"claims": claims, "scopes": null}});
        serde_json::from_value(json!({"version": "2.0", "headers": {}, "isBase64Encoded": false,
            "requestContext": {"http": {"method": "GET"}, "authorizer": authorizer}}))
        .unwrap()
    }

    fn status(claims: serde_json::Value, needs: Needs<'_>) -> u16 {
        gate().admit(&request(claims), needs, &key()).map_or_else(|problem| problem.status, |_| 200)
    }

    #[test]
    fn groups_open_what_their_routes_need() {
        let member = key().by_phone(&normalise(PHONE).unwrap());
        for (groups, of_member, of_till, of_operator) in [
            ("[till]", 200, 200, 403),
            ("[operator]", 200, 200, 200),
            ("[shop till]", 200, 200, 403),
            ("till", 200, 200, 403),
            (r#"["till","operator"]"#, 200, 200, 200),
            (r#"["a till"]"#, 403, 403, 403),
            ("[tills]", 403, 403, 403),
            ("[Till]", 403, 403, 403),
            ("", 403, 403, 403),
        ] {
            let claims = json!({"sub": "1", "cognito:groups": groups});
            let found =
                [Needs::Member(&member), Needs::Till, Needs::Operator].map(|needs| status(claims.clone(), needs));
            assert_eq!(found, [of_member, of_till, of_operator], "{groups}");
        }
    }

    #[test]
    fn a_member_is_who_the_token_names_and_nobody_else() {
        let key = key();
        let member = key.by_phone(&normalise(PHONE).unwrap());
        let other = key.by_phone(&normalise("0909999999").unwrap());
        let own = json!({"custom:member_id": member.as_str()});
        assert_eq!(status(own.clone(), Needs::Member(&member)), 200);
        assert_eq!(status(own.clone(), Needs::Member(&other)), 403);
        assert_eq!((status(own.clone(), Needs::Till), status(own, Needs::Operator)), (403, 403));

        let seen = json!({"phone_number": PHONE, "phone_number_verified": "true"});
        assert_eq!(status(seen.clone(), Needs::Member(&member)), 200);
        assert_eq!(status(seen, Needs::Member(&other)), 403);
        for unseen in [
            json!({"phone_number": PHONE}),
            json!({"phone_number": PHONE, "phone_number_verified": "false"}),
            json!({"phone_number": "12", "phone_number_verified": "true"}),
            // The id says who it is; a phone beside it does not.
            json!({"custom:member_id": other.as_str(), "phone_number": PHONE, "phone_number_verified": "true"}),
        ] {
            assert_eq!(status(unseen.clone(), Needs::Member(&member)), 403, "{unseen}");
        }
    }

    #[test]
    fn claims_come_from_the_gateway_alone() {
        let mut bare = request(json!({}));
        assert_eq!(gate().admit(&bare, Needs::Till, &key()).unwrap_err().status, 401);
        bare.request_context.authorizer = None;
        bare.headers.insert("authorization", "Bearer anything".parse().unwrap());
        bare.headers.insert(
            "cognito:groups".replace(':', "-").parse::<aws_lambda_events::http::HeaderName>().unwrap(),
            "till".parse().unwrap(),
        );
        assert_eq!(gate().admit(&bare, Needs::Till, &key()).unwrap_err().status, 401);
        assert!(Gate::Open.admit(&bare, Needs::Operator, &key()).is_ok());
    }

    #[test]
    fn other_issuers_name_their_own_claims() {
        let set = |name: &str| match name {
            ACCESS => Some("tokens".to_owned()),
            GROUPS_CLAIM => Some("https://shop.example/roles".to_owned()),
            _ => None,
        };
        let gate = Gate::of(&Environment::new(set)).unwrap();
        let groups = request(json!({"https://shop.example/roles": "till", "cognito:groups": "[operator]"}));
        assert!(gate.admit(&groups, Needs::Till, &key()).is_ok());
        assert_eq!(gate.admit(&groups, Needs::Operator, &key()).unwrap_err().status, 403);
    }

    #[test]
    fn a_subject_is_a_verified_tokens() {
        let subject = |claims| gate().subject(&request(claims)).map(str::to_owned);
        assert_eq!(subject(json!({"sub": "9f1c", "name": "Mai"})).as_deref(), Some("9f1c"));
        assert_eq!(
            (subject(json!({"sub": ""})), subject(json!({"name": "Mai"})), subject(json!({}))),
            (None, None, None)
        );
        assert_eq!(subject(json!({"sub": "ê".repeat(300)})), Some("ê".repeat(255)));
        assert_eq!(Gate::Open.subject(&request(json!({"sub": "9f1c"}))), None);
    }

    #[test]
    fn nothing_is_open_by_being_forgotten() {
        let with = |value: Option<&'static str>| {
            Gate::of(&Environment::new(move |name: &str| value.filter(|_| name == ACCESS).map(str::to_owned)))
        };
        assert!(matches!(with(None), Err(ConfigError::Missing(ACCESS))));
        assert!(matches!(with(Some("opened")), Err(ConfigError::Unusable(ACCESS))));
        assert_eq!(with(Some("open")).unwrap(), Gate::Open);
    }
}
