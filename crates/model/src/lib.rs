//! Vocabulary and decisions of Bellhop: what an event, a webhook, an attempt and a verdict are.
//!
//! Nothing here does I/O, awaits, reads a clock or draws randomness; the moment and the random bytes arrive as
//! arguments, so every decision can be tabled, property-tested and replayed.

pub mod limits;

mod mode;
pub use mode::{Mode, ModeError};

mod id;
pub use id::{
    ApiKeyId, CopyToken, DeliveryId, EventId, IdError, OrganisationId, RecoveryId, RequestId, WebhookId,
};

mod actor;
pub use actor::{Actor, ActorError};

mod moment;
pub use moment::parse_moment;

mod event_type;
pub use event_type::{EventType, EventTypeError};

mod event;
pub use event::{Event, EventError, EventLabels};

mod catalogue;
pub use catalogue::{Catalogue, CatalogueError, KnownEventType, Sample};

mod payload;
pub use payload::{Expansion, ExpansionError, Payload, PayloadError};

mod payload_level;
pub use payload_level::{PayloadLevel, PayloadLevelError};

mod endpoint_url;
pub use endpoint_url::{EndpointUrl, EndpointUrlError};

mod port;
pub use port::{UncallablePort, check_port};

mod secret;
pub use secret::{Secret, SecretError, SigningSecret};

mod signature;
pub use signature::{Signature, SignatureError, Signer, verify};

mod webhook;
pub use webhook::{
    DescriptionError, DisabledReason, Subscription, Webhook, WebhookStatus, check_description,
};

mod role;
pub use role::{Role, RoleError};

mod api_key;
pub use api_key::{ApiKey, ApiKeyError, KeyNameError, check_key_name};

mod attempt;
pub use attempt::{Attempt, AttemptError, Series};

mod retry_after;
pub use retry_after::{Malformed, parse_retry_after};

mod outcome;
pub use outcome::{Answer, Failure, Outcome};

mod ladder;
pub use ladder::{Ladder, LadderError, Rung};

mod verdict;
pub use verdict::{EndReason, Verdict, decide};

mod record;
pub use record::{
    Addressed, AnswerRecord, AttemptRecord, Decided, End, EndState, EventRecord, Record, RecordError,
    Records, Sent, Timing, WaitCause, WaitingRecord, decode_batch, decode_each, micros_of,
};

mod sent;
pub use sent::{CONTENT_TYPE, SentHeader, SentRequest, webhook_headers};

mod delivery_state;
pub use delivery_state::{DeliveryState, DeliveryStateName, DeliveryStateNameError, Standing};

mod trace;
pub use trace::{TraceParent, TraceParentError};

mod failing;
pub use failing::{ExhaustedDeliveries, FailureDecision, FailureEvidence, LogReach, judge_failures};

mod hex;
mod text;
