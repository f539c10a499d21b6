//! The real network, against a server of a few lines on this machine.

use bytes::Bytes;
use http::Request;
use refleet::cloud::NetError;
use refleet::cloud::http::{Access, HttpTransport, Transport, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Serves `answers` one after another; each new connection is counted.
async fn serve(answers: Vec<&'static str>) -> (String, tokio::task::JoinHandle<usize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let task = tokio::spawn(async move {
        let (mut connections, mut open) = (0, None::<TcpStream>);
        for answer in answers {
            let kept = open.take();
            connections += usize::from(kept.is_none());
            let mut stream = if let Some(stream) = kept {
                stream
            } else {
                listener.accept().await.expect("a connection").0
            };
            let mut buffer = [0; 4096];
            assert_ne!(stream.read(&mut buffer).await.expect("a request"), 0);
            stream.write_all(answer.as_bytes()).await.expect("it is written");
            // An answer with a length leaves the connection open.
            open = answer.contains("Content-Length").then_some(stream);
        }
        connections
    });
    (address, task)
}

fn get(address: &str) -> Request<Bytes> {
    Request::get(format!("{address}/v3")).body(Bytes::new()).expect("a request")
}

fn network() -> HttpTransport {
    HttpTransport::new(&Access::direct(Trust::PlainHttp)).expect("a network")
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Request-Id: r1\r\n\r\nok";

#[tokio::test]
async fn an_answer_arrives_whole_and_the_connection_is_kept() {
    let (address, served) = serve(vec![OK, OK, OK]).await;
    let network = network();
    for _ in 0..3 {
        let answer = network.send(get(&address)).await.expect("an answer");
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (200, &b"ok"[..]));
        assert_eq!(answer.headers()["x-request-id"], "r1");
    }
    assert_eq!(served.await.expect("it served"), 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let there = "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let (address, served) = serve(vec![there]).await;
    let answer = network().send(get(&address)).await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 307);
    assert_eq!(served.await.expect("it served"), 1);
}

#[tokio::test]
async fn nobody_there_means_nothing_was_sent() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let error = network().send(get(&address)).await.expect_err("nobody is there");
    assert!(matches!(error, NetError::Connect(_)), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_is_cut_leaves_it_open_whether_the_request_arrived() {
    // Cut before the first byte of an answer, and in the middle of a body.
    for half in
        ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"]
    {
        let (address, served) = serve(vec![half]).await;
        let error = network().send(get(&address)).await.expect_err("it is cut");
        assert!(matches!(error, NetError::Reset(_)), "{half:?}: {error:?}");
        // Once: it was not sent again behind our back.
        assert_eq!(served.await.expect("it served"), 1);
    }
}

#[tokio::test]
async fn a_change_that_a_kept_connection_took_is_never_sent_again_on_another() {
    for half in ["", "HTTP/1.1 202 Accepted\r\n"] {
        let (address, served) = serve(vec![OK, half]).await;
        let network = network();
        network.send(get(&address)).await.expect("an answer");
        let change = Request::post(format!("{address}/action")).body(Bytes::from_static(b"{}"));
        let error = network.send(change.expect("a request")).await.expect_err("it is cut");
        assert!(matches!(error, NetError::Reset(_)), "{half:?}: {error:?}");
        assert_eq!(served.await.expect("it served"), 1, "connections");
    }
}
