//! The pages a run is cut into: each a message of the queue, so that a run of any size resumes where it was killed.

use chrono::{DateTime, Utc};
use loyalty_store::index::{DuePlace, SHARDS, shard};
use serde::{Deserialize, Serialize};

/// The schedules of the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Monday 08:00: enrols and invites (C2).
    WeeklyCampaign,
    /// 00:05: what falls due on a day (D3).
    Daily,
    /// 1 January 00:00: the same, at the instant a calendar year ends (T14).
    Yearly,
}

/// A schedule that has fired. `at` is when it was due: the only "now" of the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fired {
    pub schedule: Schedule,
    pub at: DateTime<Utc>,
}

/// One page of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    pub at: DateTime<Utc>,
    pub shard: String,
    pub work: Work,
}

/// What a page is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Members whom a campaign may address, after one of them.
    Campaign {
        campaign: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// Members for whom something is due, after a place: the campaign may address who loses a tier by it, though no daily
    /// run has written that yet. The campaign's other members follow.
    Overdue {
        campaign: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<DuePlace>,
    },
    /// Members with orders that waited for a campaign which goes on again, after one of them (X50).
    Resumed {
        campaign: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// Everybody, after one of them: the programme is another than the run before knew. They are raised where it asks less
    /// for a tier (T7), found from now on by what it has due and whom it addresses, and enrolled in these campaigns.
    Changed {
        campaigns: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// Members for whom something is due.
    Members,
    /// Vouchers for which something is due.
    Vouchers,
}

/// The first pages of a run: each work in every shard.
pub fn first_pages(at: DateTime<Utc>, works: &[Work]) -> Vec<Page> {
    let shards = |work: &Work| {
        let work = work.clone();
        (0..SHARDS).map(move |number| Page { at, shard: shard(number), work: work.clone() })
    };
    works.iter().flat_map(shards).collect()
}
