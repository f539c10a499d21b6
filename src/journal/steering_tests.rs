//! Words from other shells, and servers that are given up.

use rusqlite::Connection;

use crate::domain::{Asker, Deed, Ending, Event, PauseCause, RunId, Steering, Time, Timestamp};

use super::store::tests::{NOW, new_run, record, run_ended, wipe};
use super::{Error, Journal as _, Left, OpenIntent, Store, Upgrade, Word, open_intents};

fn word(steering: Steering, seen: u64) -> Word {
    Word { steering, name: "ann".to_owned(), at: NOW, seen }
}

fn steered(steering: Steering, number: u64) -> Event {
    let by = Asker { name: "ann".to_owned(), at: NOW, number, seen: 1 };
    Event::Steered { steering, by: Some(by) }
}

#[tokio::test]
async fn a_word_is_left_once_and_taken_by_the_record_that_tells_of_it() {
    let store = Store::in_memory().unwrap();
    let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
    let run = RunId::from("run-1");
    assert_eq!(log.asked().await.unwrap(), []);
    let Left { request, again } = store.leave(&run, word(Steering::Pause, 1)).await.unwrap();
    assert_eq!((request.by.number, again), (1, false));
    let second = store.leave(&run, word(Steering::Pause, 1)).await.unwrap();
    assert_eq!((second.request, second.again), (request.clone(), true), "nobody took it yet");
    store.leave(&run, word(Steering::Stop, 1)).await.unwrap();
    let asked = log.asked().await.unwrap();
    assert_eq!(
        asked.iter().map(|r| r.steering).collect::<Vec<_>>(),
        [Steering::Pause, Steering::Stop]
    );
    log.append(vec![record(2, steered(Steering::Pause, 1))]).await.unwrap();
    assert_eq!(log.asked().await.unwrap().len(), 1);
    assert_eq!(store.left(&run).await.unwrap()[0].by.number, 2);
    let third = store.leave(&run, word(Steering::Pause, 2)).await.unwrap();
    assert_eq!((third.request.by.number, third.again), (3, false));
}

#[tokio::test]
async fn an_approval_of_before_does_not_stand_for_one_of_now() {
    let store = Store::in_memory().unwrap();
    let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
    let again =
        async |seen| store.leave(log.run(), word(Steering::Approve, seen)).await.unwrap().again;
    assert!(!again(4).await);
    assert!(again(4).await);
    assert!(!again(9).await, "it saw more");
}

#[tokio::test]
async fn nobody_leaves_a_word_for_a_run_that_ended() {
    let store = Store::in_memory().unwrap();
    let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
    log.append(vec![record(2, run_ended())]).await.unwrap();
    let error = store.leave(log.run(), word(Steering::Stop, 2)).await.unwrap_err();
    assert!(matches!(error, Error::RunOver { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_is_given_up_is_free_and_the_run_knows() {
    let store = Store::in_memory().unwrap();
    let log = store.begin(new_run("run-1", &["a", "b"])).await.unwrap();
    log.append(vec![record(2, wipe(&["a"]))]).await.unwrap();
    let (run, a, b) = (RunId::from("run-1"), "a".into(), "b".into());
    let error = store.abandon(&run, &a, "ann", NOW).await.unwrap_err();
    assert!(matches!(error, Error::RunAlive { .. }), "{error}");
    drop(log);
    let error = store.abandon(&run, &b, "ann", NOW).await.unwrap_err();
    assert!(matches!(error, Error::NotHeld { .. }), "{error}");
    assert!(store.begin(new_run("run-2", &["a"])).await.is_err());

    let later = Timestamp(NOW.0 + 5_000);
    let open = store.abandon(&run, &a, "ann", later).await.unwrap();
    assert_eq!(open, [OpenIntent::Intended(Deed::Reinstall)]);
    let records = store.records(&run).await.unwrap();
    assert_eq!(records[2].at, Time(2), "a run's time stands still while nobody drives it");
    let Event::Abandoned { server, by, open } = &records[2].event else { panic!("{records:?}") };
    assert_eq!((server, by.as_str(), open.len()), (&a, "ann", 1));
    assert!(open_intents(&records).is_empty());
    let second = store.begin(new_run("run-2", &["a"])).await.unwrap();
    let first = store.take_over(&run, later).await.unwrap();
    assert!(store.begin(new_run("run-3", &["b"])).await.is_err(), "the rest was taken up again");
    drop((first, second));
    let again = store.abandon(&run, &a, "ann", later).await.unwrap_err();
    assert!(matches!(again, Error::NotHeld { .. }), "{again}");
}

#[tokio::test]
async fn a_run_that_is_paused_is_still_so_when_one_of_its_servers_was_given_up() {
    let store = Store::in_memory().unwrap();
    let log = store.begin(new_run("run-1", &["a"])).await.unwrap();
    let cause = PauseCause::Asked { by: "bob".to_owned() };
    let ended = Event::Ended {
        server: "a".into(),
        ending: Ending::Unknown,
        failure: None,
        warnings: Vec::new(),
    };
    let records = [wipe(&["a"]), ended, Event::Paused { cause: cause.clone() }];
    log.append((2..).zip(records).map(|(seq, event)| record(seq, event)).collect()).await.unwrap();
    drop(log);
    store.abandon(&"run-1".into(), &"a".into(), "ann", NOW).await.unwrap();
    assert_eq!(store.find("run-1").await.unwrap().paused, Some(cause));
}

#[tokio::test]
async fn a_state_file_of_an_older_refleet_gets_what_it_lacks_and_keeps_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    drop(Store::open(&path).unwrap().begin(new_run("run-1", &["a"])).await.unwrap());
    let old = Connection::open(&path).unwrap();
    let older =
        "DROP TABLE request; ALTER TABLE run DROP COLUMN owner_epoch; PRAGMA user_version = 1";
    old.execute_batch(older).unwrap();
    let version = || old.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));

    let looking = Store::open_to_look(&path).unwrap();
    assert_eq!(looking.records(&"run-1".into()).await.unwrap().len(), 1);
    assert_eq!(looking.find("run").await.unwrap().alive, None);
    assert!(looking.held(&"run-1".into()).await.unwrap().contains("a"));
    assert!(looking.left(&"run-1".into()).await.unwrap().is_empty());
    assert!(looking.leave(&"run-1".into(), word(Steering::Stop, 1)).await.is_err());
    assert_eq!((looking.upgraded(), version().unwrap()), (None, 1), "who looks changes nothing");
    drop(looking);

    let store = Store::open_existing(&path).unwrap();
    let upgraded = store.upgraded().map(|Upgrade { from, to }| (from, to));
    assert_eq!((upgraded, version().unwrap()), (Some((1, 3)), 3));
    drop(old);
    store.leave(&"run-1".into(), word(Steering::Stop, 1)).await.unwrap();
    assert_eq!(store.left(&"run-1".into()).await.unwrap().len(), 1);
    assert_eq!(store.records(&"run-1".into()).await.unwrap().len(), 1);
}
