//! The words that stand for values in rows, events and answers.
//!
//! Every enumeration is written as the snake_case of its variant, an instant as RFC 3339 in UTC, a day as `YYYY-MM-DD`.
//! A word never changes once it has been written to a table: rows are kept for ever.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use loyalty_domain::campaign::ParticipationState;
use loyalty_domain::ids::{MemberId, OrderId, ProgrammeVersion, RequestId, RuleId, TierId, VoucherId};
use loyalty_domain::item_rules::Several;
use loyalty_domain::ledger::{EntryKind, Reason};
use loyalty_domain::lots::Expiry;
use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderStatus, PaymentStatus};
use loyalty_domain::points::{Ratio, Rounding};
use loyalty_domain::programme::{Basis, EarnWhen, NegativeBalance, RefundRule, RoundStage};
use loyalty_domain::request::{RequestKind, RequestState};
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::VoucherState;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::outgoing::MessageState;

/// A value that is written as one word. Reading a written word gives the value again.
pub trait Word: Sized {
    fn to_word(&self) -> Cow<'static, str>;

    /// `None` for a word that stands for nothing.
    fn from_word(word: &str) -> Option<Self>;
}

/// A value as an attribute of type S.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text<T>(pub T);

impl<T: Word> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_word())
    }
}

impl<'de, T: Word> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<T: Word> de::Visitor<'_> for Visitor<T> {
            type Value = Text<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a known word")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
                T::from_word(word).map(Text).ok_or_else(|| E::custom(format_args!("unknown word {word:?}")))
            }
        }
        deserializer.deserialize_str(Visitor(std::marker::PhantomData))
    }
}

macro_rules! words {
    ($type:ty { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl Word for $type {
            fn to_word(&self) -> Cow<'static, str> {
                Cow::Borrowed(match self { $(Self::$variant => $word),+ })
            }

            fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(OrderStatus {
    Pending => "pending",
    Confirmed => "confirmed",
    Shipping => "shipping",
    Delivered => "delivered",
    Returned => "returned",
    Cancelled => "cancelled",
});
words!(PaymentStatus {
    Unpaid => "unpaid",
    PartiallyPaid => "partially_paid",
    Paid => "paid",
    PartiallyRefunded => "partially_refunded",
    Refunded => "refunded",
    Voided => "voided",
});
words!(EntryKind {
    Accrual => "accrual",
    Bonus => "bonus",
    Welcome => "welcome",
    Behaviour => "behaviour",
    Reversal => "reversal",
    Redemption => "redemption",
    Restoration => "restoration",
    Expiration => "expiration",
    Reset => "reset",
    Adjustment => "adjustment",
    Topup => "topup",
    Payment => "payment",
    Tier => "tier",
    Opening => "opening",
    MergeIn => "merge_in",
    MergeOut => "merge_out",
});
words!(ParticipationState { Active => "active", Completed => "completed", Exhausted => "exhausted" });
words!(RequestKind {
    Redemption => "redemption",
    Adjustment => "adjustment",
    Behaviour => "behaviour",
    Topup => "topup",
    Opening => "opening",
    Merge => "merge",
});
words!(VoucherState { Issued => "issued", Used => "used", Expired => "expired", Voided => "voided" });
words!(MessageState {
    Pending => "pending",
    Sending => "sending",
    Sent => "sent",
    Failed => "failed",
    Skipped => "skipped",
    Unknown => "unknown",
});
words!(RequestState { Held => "held", Confirmed => "confirmed", Undone => "undone" });
words!(Reason {
    OrderEarned => "order_earned",
    OrderEarnedAgain => "order_earned_again",
    OrderAmountRaised => "order_amount_raised",
    OrderAmountLowered => "order_amount_lowered",
    OrderPartlyReturned => "order_partly_returned",
    OrderCancelled => "order_cancelled",
    OrderReturned => "order_returned",
    OrderRefunded => "order_refunded",
    OrderNoLongerEarns => "order_no_longer_earns",
    WelcomePoints => "welcome_points",
    FirstOrderUndone => "first_order_undone",
    CampaignBonus => "campaign_bonus",
    BehaviourRewarded => "behaviour_rewarded",
    PointsSpent => "points_spent",
    RedemptionUndone => "redemption_undone",
    HoldLapsed => "hold_lapsed",
    PointsExpired => "points_expired",
    TierKept => "tier_kept",
    TierMissed => "tier_missed",
    CycleEnded => "cycle_ended",
    AdjustedByOperator => "adjusted_by_operator",
    WalletToppedUp => "wallet_topped_up",
    WalletSpent => "wallet_spent",
    WalletReturned => "wallet_returned",
    TierReached => "tier_reached",
    TierUndone => "tier_undone",
    TierTold => "tier_told",
    OpeningBalance => "opening_balance",
    MembersMerged => "members_merged",
});
words!(Basis { DueMinusShipping => "due_minus_shipping", Paid => "paid", Items => "items" });
words!(EarnWhen { Delivered => "delivered", DeliveredAndPaid => "delivered_and_paid", Placed => "placed" });
words!(Rounding { Floor => "floor", HalfUp => "half_up", Ceil => "ceil" });
words!(RoundStage { End => "end", BaseThenEnd => "base_then_end" });
words!(Several { All => "all", Best => "best", First => "first" });
words!(RefundRule { AmountProrata => "amount_prorata", LineExact => "line_exact" });

macro_rules! id_words {
    ($($id:ty),+) => {$(
        impl Word for $id {
            fn to_word(&self) -> Cow<'static, str> {
                Cow::Owned(self.as_str().to_owned())
            }

            fn from_word(word: &str) -> Option<Self> {
                (!word.is_empty()).then(|| Self::new(word))
            }
        }
    )+};
}

id_words!(MemberId, OrderId, TierId, RuleId, ProgrammeVersion, RequestId, VoucherId);

impl Word for NegativeBalance {
    fn to_word(&self) -> Cow<'static, str> {
        match self {
            Self::Allow => "allow".into(),
            Self::Clamp => "clamp".into(),
            Self::PendingOnly => "pending_only".into(),
            Self::Limit(points) => format!("limit({points})").into(),
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "allow" => Some(Self::Allow),
            "clamp" => Some(Self::Clamp),
            "pending_only" => Some(Self::PendingOnly),
            _ => word.strip_prefix("limit(")?.strip_suffix(')')?.parse().ok().map(Self::Limit),
        }
    }
}

impl Word for Ratio {
    /// `6/5`, and `1` for a whole number.
    fn to_word(&self) -> Cow<'static, str> {
        match self.denominator.get() {
            1 => self.numerator.to_string().into(),
            denominator => format!("{}/{denominator}", self.numerator).into(),
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        let (numerator, denominator) = word.split_once('/').unwrap_or((word, "1"));
        Self::new(numerator.parse().ok()?, denominator.parse().ok()?)
    }
}

impl Word for Currency {
    fn to_word(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.code())
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::from_code(word)
    }
}

impl Word for Instant {
    fn to_word(&self) -> Cow<'static, str> {
        self.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
    }

    fn from_word(word: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(word).ok().map(|at| at.with_timezone(&Utc))
    }
}

impl Word for NaiveDate {
    fn to_word(&self) -> Cow<'static, str> {
        self.to_string().into()
    }

    fn from_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

impl Word for Expiry {
    fn to_word(&self) -> Cow<'static, str> {
        match self {
            Self::On(day) => day.to_word(),
            Self::Never => "never".into(),
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        if word == "never" { Some(Self::Never) } else { NaiveDate::from_word(word).map(Self::On) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Word + PartialEq + fmt::Debug>(value: T, word: &str) {
        assert_eq!(value.to_word(), word);
        assert_eq!(T::from_word(word), Some(value));
    }

    #[test]
    fn a_word_is_read_as_it_was_written() {
        check(OrderStatus::Delivered, "delivered");
        check(PaymentStatus::PartiallyRefunded, "partially_refunded");
        check(NegativeBalance::Limit(50), "limit(50)");
        check(NegativeBalance::PendingOnly, "pending_only");
        check(Ratio::new(12, 10).unwrap(), "6/5");
        check(Ratio::ONE, "1");
        check(Expiry::Never, "never");
        check(Expiry::On("2027-11-30".parse().unwrap()), "2027-11-30");
        check("2026-11-23T01:15:00Z".parse::<Instant>().unwrap(), "2026-11-23T01:15:00Z");
        check("2026-11-23T01:15:00.250Z".parse::<Instant>().unwrap(), "2026-11-23T01:15:00.250Z");
        check(Currency::VND, "VND");
    }

    #[test]
    fn what_was_never_written_is_not_read() {
        assert_eq!(OrderStatus::from_word("Delivered"), None);
        assert_eq!(NegativeBalance::from_word("limit(-1)"), None);
        assert_eq!(Ratio::from_word("1/0"), None);
        assert_eq!(Expiry::from_word("2027-02-30"), None);
        assert_eq!(MemberId::from_word(""), None);
    }
}
