//! What opens the API and the console: keys of organisations, and sign-ins that the platform asks for.

mod authenticate;
pub(crate) use authenticate::verify_one_key_per_sealing_key;
pub use authenticate::{Authentication, KeyHolder};

mod keys;
pub use keys::{NewKey, RegisteredKey, StoredKey};

mod session;
pub use session::{NewSession, Session, SessionHolder, SessionKey, SessionToken};

mod sign_in;
pub use sign_in::{MintedSignIn, NewSignIn, SignIn};
