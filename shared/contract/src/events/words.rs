//! The words by which tables, events and answers know what the domain has as enums.

use loyalty_domain::campaign::ParticipationState;
use loyalty_domain::ledger::{EntryKind, Reason};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A domain enum as the words by which the outside knows it. A variant without a word does not compile.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident of $domain:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word in tables, events and answers.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl From<$domain> for $name {
            fn from(value: $domain) -> Self {
                match value {
                    $($domain::$variant => Self::$variant,)+
                }
            }
        }

        impl From<$name> for $domain {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => Self::$variant,)+
                }
            }
        }
    };
}

words! {
    /// What kind of movement an entry is.
    Kind of EntryKind {
        /// An order earned, or earned more.
        Accrual = "accrual",
        /// An order of a campaign was credited its bonus.
        Bonus = "bonus",
        /// Welcome points.
        Welcome = "welcome",
        /// Something else than an order earned: a review, a referral, a check-in.
        Behaviour = "behaviour",
        /// What an order was credited is taken back, whole or in part.
        Reversal = "reversal",
        /// Points were spent.
        Redemption = "redemption",
        /// A redemption was undone: its points are back in the lots they came from.
        Restoration = "restoration",
        /// The last valid day of points has passed.
        Expiration = "expiration",
        /// A cycle ended: the tier was reviewed and qualifying points start at 0.
        Reset = "reset",
        /// An operator gave or took points.
        Adjustment = "adjustment",
        /// Money was paid into the wallet.
        Topup = "topup",
        /// An order was paid with the wallet, or gave it back.
        Payment = "payment",
        /// The tier changed by something else than points: by the rules of the tiers, or as an outside system says.
        Tier = "tier",
        /// A member who was there before these books begins with what another system says of them. No event tells of it.
        Opening = "opening",
        /// Another member joined this one and brought what they had.
        MergeIn = "merge_in",
        /// The member joined another one, who has what they had.
        MergeOut = "merge_out",
    }
}

words! {
    /// Why points moved.
    Why of Reason {
        /// The order earned for the first time.
        OrderEarned = "order_earned",
        /// The order came back after it had been undone.
        OrderEarnedAgain = "order_earned_again",
        /// The order's amount rose.
        OrderAmountRaised = "order_amount_raised",
        /// The order's amount fell.
        OrderAmountLowered = "order_amount_lowered",
        /// Part of the order's money was given back.
        OrderPartlyReturned = "order_partly_returned",
        /// The order was cancelled.
        OrderCancelled = "order_cancelled",
        /// The order was returned.
        OrderReturned = "order_returned",
        /// All of the order's money was given back, or it was never taken.
        OrderRefunded = "order_refunded",
        /// The newest snapshot no longer says delivered (and paid).
        OrderNoLongerEarns = "order_no_longer_earns",
        /// A new member was welcomed.
        WelcomePoints = "welcome_points",
        /// The first order, to which the welcome points are tied, was undone.
        FirstOrderUndone = "first_order_undone",
        /// An order of a campaign.
        CampaignBonus = "campaign_bonus",
        /// A behaviour that the programme rewards.
        BehaviourRewarded = "behaviour_rewarded",
        /// Points were redeemed.
        PointsSpent = "points_spent",
        /// A redemption was undone.
        RedemptionUndone = "redemption_undone",
        /// A held redemption was not confirmed in time.
        HoldLapsed = "hold_lapsed",
        /// The last valid day of points has passed.
        PointsExpired = "points_expired",
        /// The tier was earned again and is held for another cycle.
        TierKept = "tier_kept",
        /// The tier was not earned again.
        TierMissed = "tier_missed",
        /// A cycle ended in the base tier.
        CycleEnded = "cycle_ended",
        /// By an operator, who says why.
        AdjustedByOperator = "adjusted_by_operator",
        /// Money was paid in.
        WalletToppedUp = "wallet_topped_up",
        /// An order was paid with the wallet.
        WalletSpent = "wallet_spent",
        /// What an order had taken from the wallet is back.
        WalletReturned = "wallet_returned",
        /// What a higher tier asks for was done.
        TierReached = "tier_reached",
        /// What the tier asks for was undone.
        TierUndone = "tier_undone",
        /// The shop's own system says so.
        TierTold = "tier_told",
        /// Where the member stood before these books.
        OpeningBalance = "opening_balance",
        /// Two members are one person.
        MembersMerged = "members_merged",
    }
}

words! {
    /// How a participation in a campaign stands.
    ParticipationWord of ParticipationState {
        /// Orders may still be credited.
        Active = "active",
        /// The member was promoted.
        Completed = "completed",
        /// Every participation is used, and the member was not promoted.
        Exhausted = "exhausted",
    }
}
