//! What memory serves, refuses and keeps, by a paused clock.

use tokio::time::advance;

use super::*;

const REVALIDATE_AFTER: Duration = Duration::from_secs(4);
const STALE_MAX: Duration = Duration::from_secs(60 * 60);

fn memory() -> Memory {
    Memory::new(MemoryOptions {
        revalidate_after: REVALIDATE_AFTER,
        stale_max: STALE_MAX,
        bytes_max: 1024 * 1024,
    })
}

fn scope(mode: Mode) -> Scope {
    Scope::new(mode, &"org_a".parse().expect("valid"))
}

fn reading(version: i64, source: Source) -> Reading {
    let subscriptions = Arc::new(Subscriptions::new(version, Vec::new()));
    Reading { subscriptions, started_at: Instant::now(), source }
}

async fn fresh(memory: &Memory, mode: Mode) -> Option<i64> {
    match memory.find(mode, &scope(mode).organisation).await {
        Found::Fresh(subscriptions) => Some(subscriptions.version),
        Found::Stale(_) | Found::Unknown => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_reading_is_fresh_until_it_must_be_read_again_counted_from_its_start() {
    let memory = memory();
    let early = reading(1, Source::Copy);
    advance(Duration::from_secs(3)).await;
    assert!(memory.offer(&scope(Mode::Live), &early).await);
    assert_eq!(fresh(&memory, Mode::Live).await, Some(1));
    assert_eq!(fresh(&memory, Mode::Test).await, None, "the modes never meet");
    advance(Duration::from_secs(1)).await;
    assert_eq!(fresh(&memory, Mode::Live).await, None);
}

#[tokio::test(start_paused = true)]
async fn looks_into_the_truth_spare_reading_again_but_not_for_ever() {
    let memory = memory();
    let live = scope(Mode::Live);
    assert!(memory.offer(&live, &reading(1, Source::Copy)).await);
    for _ in 1..REREAD_AFTER.as_secs() {
        advance(Duration::from_secs(1)).await;
        memory.note_look(Instant::now());
        assert_eq!(fresh(&memory, Mode::Live).await, Some(1));
    }
    advance(Duration::from_secs(1)).await;
    memory.note_look(Instant::now());
    assert_eq!(fresh(&memory, Mode::Live).await, None, "a truth that went back would never be noticed");

    assert!(memory.offer(&live, &reading(1, Source::Copy)).await);
    advance(REVALIDATE_AFTER).await;
    assert_eq!(fresh(&memory, Mode::Live).await, None, "the last look is as old as the reading");
    memory.note_look(Instant::now());
    assert_eq!(fresh(&memory, Mode::Live).await, Some(1));
    memory.expire_all();
    assert_eq!(fresh(&memory, Mode::Live).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_old_reading_never_replaces_a_newer_one() {
    let memory = memory();
    let live = scope(Mode::Live);
    let (late_copy, late_truth) = (reading(1, Source::Copy), reading(1, Source::Truth));
    advance(Duration::from_millis(1)).await;
    assert!(memory.offer(&live, &reading(2, Source::Truth)).await);
    assert!(!memory.offer(&live, &late_copy).await);
    assert!(!memory.offer(&live, &late_truth).await, "it began before version 2 was heard of");
    assert!(
        !memory.offer(&live, &reading(1, Source::Copy)).await,
        "a copy never proves that the truth went back"
    );
    assert_eq!(fresh(&memory, Mode::Live).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_change_heard_of_drops_what_is_older_and_refuses_it_afterwards() {
    let memory = memory();
    let live = scope(Mode::Live);
    assert!(memory.offer(&live, &reading(1, Source::Truth)).await);
    let late = reading(1, Source::Truth);
    advance(Duration::from_millis(1)).await;
    assert!(memory.raise(&live, 2).await);
    assert_eq!(fresh(&memory, Mode::Live).await, None);
    assert!(memory.fall_back(&live).await.is_none(), "what is known to be old must not stand in");
    assert!(!memory.offer(&live, &late).await);
    assert!(memory.offer(&live, &reading(2, Source::Copy)).await);
    assert!(!memory.raise(&live, 2).await, "no news");
    assert_eq!(fresh(&memory, Mode::Live).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_truth_that_went_back_is_believed() {
    let memory = memory();
    let live = scope(Mode::Live);
    assert!(memory.raise(&live, 9).await);
    advance(Duration::from_millis(1)).await;
    assert!(memory.offer(&live, &reading(5, Source::Truth)).await);
    assert_eq!(fresh(&memory, Mode::Live).await, Some(5));
}

#[tokio::test(start_paused = true)]
async fn expired_copies_are_read_again_but_stay_for_when_nothing_can_be_read() {
    let memory = memory();
    let live = scope(Mode::Live);
    assert!(memory.offer(&live, &reading(1, Source::Truth)).await);
    memory.expire_all();
    assert_eq!(fresh(&memory, Mode::Live).await, None);
    assert!(memory.fall_back(&live).await.is_some());
    let found = memory.find(Mode::Live, &live.organisation).await;
    assert!(matches!(found, Found::Stale(_)), "{found:?}");
    advance(STALE_RETRY_AFTER).await;
    let found = memory.find(Mode::Live, &live.organisation).await;
    assert!(matches!(found, Found::Unknown), "the servers are tried again: {found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_copy_too_old_is_not_served_even_then() {
    let memory = memory();
    let live = scope(Mode::Live);
    assert!(memory.offer(&live, &reading(1, Source::Truth)).await);
    advance(STALE_MAX).await;
    assert!(memory.fall_back(&live).await.is_some(), "just in time");
    advance(Duration::from_millis(1)).await;
    assert!(memory.fall_back(&live).await.is_none());
    let found = memory.find(Mode::Live, &live.organisation).await;
    assert!(matches!(found, Found::Unknown), "{found:?}");
}
