//! Where a role posts what turns bad, and what turns good again: the table `[notify]` of its configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where what turns bad, and good again, is posted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Notify")]
pub struct NotifySection {
    /// The address that takes the posts: a webhook of Slack or Discord, a topic of ntfy, or one of your own. Absent: nothing is
    /// posted.
    pub url: Option<String>,
    /// What is posted: `slack`, `discord`, `ntfy` or `json`; absent: by the address's host.
    pub format: Option<NotifyFormat>,
}

/// What takes the posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NotifyFormat {
    Slack,
    Discord,
    Ntfy,
    /// An object with every field by itself.
    Json,
}
