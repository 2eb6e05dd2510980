//! What Zalo answers instead of success, and what to do about it.
//!
//! An error comes with status 200 and a number below zero. Every number that is documented stands here with its class;
//! one that is not is taken for a refusal of this message, which harms nobody else's.

/// What an error asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The access token is no longer good: refresh it and try once more.
    Token,
    /// It will pass within minutes.
    Passing,
    /// Today's quota is used up.
    NextDay,
    /// Not at night.
    NextMorning,
    /// This recipient cannot be reached this way.
    Recipient,
    /// Nothing can be sent until a human has looked.
    Human,
}

/// Every documented error and what it asks for.
pub const CODES: [(i64, Class); 39] = [
    (-216, Class::Token),
    (-220, Class::Token),
    (-124, Class::Token),
    (RATE_LIMIT, Class::Passing),
    (-100, Class::Passing),
    (-211, Class::Passing),
    (-144, Class::NextDay),
    (-133, Class::NextMorning),
    (-234, Class::NextMorning),
    // The phone has no Zalo account.
    (-118, Class::Recipient),
    // Refused by the user.
    (-139, Class::Recipient),
    (-141, Class::Recipient),
    (NOT_FOLLOWING, Class::Recipient),
    (-227, Class::Recipient),
    // The user did nothing in the account for more than 7 days.
    (-230, Class::Recipient),
    (-244, Class::Recipient),
    (-249, Class::Recipient),
    (-108, Class::Recipient),
    (-114, Class::Recipient),
    (-119, Class::Recipient),
    (-131, Class::Recipient),
    (-201, Class::Recipient),
    (-1121, Class::Recipient),
    (-1122, Class::Recipient),
    // The user had their share.
    (-1441, Class::Recipient),
    (-1471, Class::Recipient),
    (-1472, Class::Recipient),
    (-101, Class::Human),
    (-102, Class::Human),
    (-103, Class::Human),
    (-104, Class::Human),
    (-105, Class::Human),
    (-135, Class::Human),
    (-136, Class::Human),
    (-137, Class::Human),
    (-219, Class::Human),
    (-221, Class::Human),
    (-223, Class::Human),
    (-224, Class::Human),
];

/// 4,000 calls a minute.
pub const RATE_LIMIT: i64 = -32;
/// The user does not follow the account.
pub const NOT_FOLLOWING: i64 = -213;

/// The class of an error's number, documented or not.
pub fn class_of(number: i64) -> Class {
    CODES.iter().find(|(known, _)| *known == number).map_or(Class::Recipient, |(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_class() {
        for (number, class) in CODES {
            assert_eq!(class_of(number), class);
            assert_eq!(CODES.iter().filter(|(known, _)| *known == number).count(), 1, "{number}");
        }
        assert_eq!(class_of(-99_999), Class::Recipient);
    }
}
