//! Appointments to publish, and what endpoints must then receive, written out.

use bellhop_model::limits::EVENT_BYTES_MAX;

/// Whose appointments they are. Each case has servers' databases of its own, so one organisation serves all.
pub const ORGANISATION: &str = "org_7eUZfyQq3xxxXXXxJlf";

/// What happens in most cases.
pub const SCHEDULED: &str = "appointment.scheduled";

/// The fullest form, as the platform publishes it: three objects whole, number text that arithmetic would change, a
/// field nobody knows, escapes and letters beyond ASCII.
pub const APPOINTMENT: &str = r#"{"id":"apt_0JtGSvLh2oKx3fWcYq","updatedAt":"2024-02-06T17:20:59.871Z","status":"scheduled","patient":{"id":"p_2uYyYVbT1rQ7mLk9Za","firstName":"Zoë","phoneNumber":"+447700900123","nhsNumber":"9990000018"},"task":{"id":"tsk_LMHYyxJ9TNehdKhcaz","name":"Venepuncture","durationMinutes":20},"window":{"id":"win_7cPz0sQe5bXn4RtYuI","startAt":"2024-02-08T09:00:00.000Z"},"practitioner":{"id":"pr_Edzpwwr2f1idMFpfBb5"},"organisationId":"org_7eUZfyQq3xxxXXXxJlf","cancellation":null,"metadata":{"campaign":"späti ☂ \u2028 \"quoted\" \/"},"data":{"sys":112.50,"big":12345678901234567890,"exp":1E+2}}"#;

/// The body for a webhook that expands nothing.
pub const COLLAPSED: &str = r#"{"data":{"id":"apt_0JtGSvLh2oKx3fWcYq","updatedAt":"2024-02-06T17:20:59.871Z","status":"scheduled","patient":{"id":"p_2uYyYVbT1rQ7mLk9Za"},"task":{"id":"tsk_LMHYyxJ9TNehdKhcaz"},"window":{"id":"win_7cPz0sQe5bXn4RtYuI"},"practitioner":{"id":"pr_Edzpwwr2f1idMFpfBb5"},"organisationId":"org_7eUZfyQq3xxxXXXxJlf","cancellation":null,"metadata":{"campaign":"späti ☂ \u2028 \"quoted\" \/"},"data":{"sys":112.50,"big":12345678901234567890,"exp":1E+2}}}"#;

/// The body for a webhook that expands the patient alone.
pub const PATIENT_EXPANDED: &str = r#"{"data":{"id":"apt_0JtGSvLh2oKx3fWcYq","updatedAt":"2024-02-06T17:20:59.871Z","status":"scheduled","patient":{"id":"p_2uYyYVbT1rQ7mLk9Za","firstName":"Zoë","phoneNumber":"+447700900123","nhsNumber":"9990000018"},"task":{"id":"tsk_LMHYyxJ9TNehdKhcaz"},"window":{"id":"win_7cPz0sQe5bXn4RtYuI"},"practitioner":{"id":"pr_Edzpwwr2f1idMFpfBb5"},"organisationId":"org_7eUZfyQq3xxxXXXxJlf","cancellation":null,"metadata":{"campaign":"späti ☂ \u2028 \"quoted\" \/"},"data":{"sys":112.50,"big":12345678901234567890,"exp":1E+2}}}"#;

/// The body for a webhook that expands all three.
pub const EXPANDED: &str = r#"{"data":{"id":"apt_0JtGSvLh2oKx3fWcYq","updatedAt":"2024-02-06T17:20:59.871Z","status":"scheduled","patient":{"id":"p_2uYyYVbT1rQ7mLk9Za","firstName":"Zoë","phoneNumber":"+447700900123","nhsNumber":"9990000018"},"task":{"id":"tsk_LMHYyxJ9TNehdKhcaz","name":"Venepuncture","durationMinutes":20},"window":{"id":"win_7cPz0sQe5bXn4RtYuI","startAt":"2024-02-08T09:00:00.000Z"},"practitioner":{"id":"pr_Edzpwwr2f1idMFpfBb5"},"organisationId":"org_7eUZfyQq3xxxXXXxJlf","cancellation":null,"metadata":{"campaign":"späti ☂ \u2028 \"quoted\" \/"},"data":{"sys":112.50,"big":12345678901234567890,"exp":1E+2}}}"#;

/// The body for a webhook that wants the id alone.
pub const ID_ONLY: &str = r#"{"data":{"id":"apt_0JtGSvLh2oKx3fWcYq"}}"#;

/// An appointment of a megabyte, far more than an event may have.
#[must_use]
pub fn oversized() -> String {
    let note = "n".repeat(16 * EVENT_BYTES_MAX);
    format!(r#"{{"id":"apt_big","organisationId":"{ORGANISATION}","note":"{note}"}}"#)
}
