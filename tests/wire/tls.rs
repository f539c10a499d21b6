//! Encryption and proxies of the real network, against servers of a few lines on this machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use refleet::cloud::NetError;
use refleet::cloud::http::{Access, HttpTransport, Transport, Trust};
use refleet::cloud::proxy::Proxies;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

fn certificate() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate")
}

/// Serves one connection with that certificate, and asks for one if `clients` are told.
async fn serve(own: &CertifiedKey<KeyPair>, clients: Option<&CertifiedKey<KeyPair>>) -> String {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.cert.der().clone()).expect("a root");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let config = builder.with_single_cert(vec![own.cert.der().clone()], key).expect("a server");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        // A client that turns away is what some of the tests are about.
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else {
            return;
        };
        let mut buffer = [0; 4096];
        drop(stream.read(&mut buffer).await);
        drop(stream.write_all(OK).await);
        drop(stream.shutdown().await);
    }));
    format!("https://localhost:{port}/v3")
}

async fn get(address: &str, access: &Access) -> Result<Bytes, NetError> {
    let network = HttpTransport::new(access)?;
    let request = Request::get(address).body(Bytes::new()).expect("a request");
    network.send(request).await.map(http::Response::into_body)
}

#[tokio::test]
async fn a_certificate_that_nobody_signed_is_refused_unless_it_is_named_or_all_are_trusted() {
    let own = certificate();
    let error = get(&serve(&own, None).await, &Access::direct(Trust::Platform)).await;
    let Err(NetError::Connect(text)) = error else { panic!("nothing may be sent: {error:?}") };
    assert!(text.contains("nobody that this machine trusts") && text.contains("cacert"), "{text}");
    let other = Access::direct(Trust::PlatformAnd(certificate().cert.pem().into_bytes()));
    let error = get(&serve(&own, None).await, &other).await;
    assert!(matches!(error, Err(NetError::Connect(_))), "{error:?}");
    let named = Access::direct(Trust::PlatformAnd(own.cert.pem().into_bytes()));
    assert_eq!(get(&serve(&own, None).await, &named).await.as_deref(), Ok(&b"ok"[..]));
    let all = Access::direct(Trust::Anything);
    assert_eq!(get(&serve(&own, None).await, &all).await.as_deref(), Ok(&b"ok"[..]));
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_even_if_it_is_named() {
    let own = generate_simple_self_signed(["elsewhere.test".to_owned()]).expect("a certificate");
    let named = Access::direct(Trust::PlatformAnd(own.cert.pem().into_bytes()));
    let error = get(&serve(&own, None).await, &named).await;
    let Err(NetError::Connect(text)) = error else { panic!("nothing may be sent: {error:?}") };
    assert!(text.contains("it is for another host"), "{text}");
}

#[tokio::test]
async fn a_cloud_that_asks_for_our_certificate_gets_it() {
    let (own, ours) = (certificate(), certificate());
    let trust = Trust::PlatformAnd(own.cert.pem().into_bytes());
    let pem = format!("{}{}", ours.cert.pem(), ours.signing_key.serialize_pem());
    let known = Access { certificate: Some(pem.into()), ..Access::direct(trust.clone()) };
    let served = serve(&own, Some(&ours)).await;
    assert_eq!(get(&served, &known).await.as_deref(), Ok(&b"ok"[..]));
    let served = serve(&own, Some(&ours)).await;
    assert!(get(&served, &Access::direct(trust)).await.is_err());
}

#[tokio::test]
async fn files_that_are_no_certificates_are_named_and_not_shown() {
    let check = async |access: &Access, wanted: &str| {
        let error = get("https://localhost:1", access).await.expect_err(wanted).to_string();
        assert!(error.contains(wanted) && !error.contains("hush"), "{error}");
    };
    check(&Access::direct(Trust::PlatformAnd(b"hush".to_vec())), "cacert has no certificate").await;
    let certificate = Some("hush".into());
    let access = Access { certificate, ..Access::direct(Trust::Platform) };
    check(&access, "cert and key are not a certificate").await;
}

/// A proxy for one request: what it was asked, with its headers.
async fn proxy() -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.expect("a request");
        stream.write_all(OK).await.expect("it is written");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    });
    (address, task)
}

fn by(variables: &[(&str, &str)]) -> Access {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let proxies = Proxies::of(&variables).expect("good proxies");
    Access { proxies, ..Access::direct(Trust::PlainHttp) }
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_asked_in_place_of_the_cloud() {
    let (address, asked) = proxy().await;
    let with_password = format!("http://ops:hush@{address}");
    let access = by(&[("HTTP_PROXY", &with_password)]);
    assert_eq!(get("http://cloud.test/v3", &access).await.as_deref(), Ok(&b"ok"[..]));
    let asked = asked.await.expect("it was asked");
    assert!(asked.starts_with("GET http://cloud.test/v3 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.to_lowercase().contains("proxy-authorization: basic b3bzomh1c2g="), "{asked}");
}

#[tokio::test]
async fn an_encrypted_cloud_is_reached_through_a_tunnel() {
    let (address, asked) = proxy().await;
    // No tunnel ends at a cloud here, so the request fails behind it.
    assert!(get("https://cloud.test/v3", &by(&[("https_proxy", &address)])).await.is_err());
    let asked = asked.await.expect("it was asked");
    assert!(asked.starts_with("CONNECT cloud.test:443 HTTP/1.1\r\n"), "{asked}");
}

#[tokio::test]
async fn this_machine_and_what_no_proxy_names_are_reached_directly() {
    let (cloud, asked) = proxy().await;
    let nobody = ("HTTP_PROXY", "http://127.0.0.1:1");
    let reached = get(&format!("http://{cloud}/v3"), &by(&[nobody])).await;
    assert_eq!(reached.as_deref(), Ok(&b"ok"[..]));
    assert!(asked.await.expect("it was asked").starts_with("GET /v3 HTTP/1.1\r\n"));
    // 0.0.0.0 leads to this machine as well, and only NO_PROXY says that it is direct.
    let (cloud, asked) = proxy().await;
    let port = cloud.rsplit(':').next().expect("a port");
    let address = format!("http://0.0.0.0:{port}/v3");
    assert!(get(&address, &by(&[nobody])).await.is_err());
    let reached = get(&address, &by(&[nobody, ("NO_PROXY", "a.test,0.0.0.0")])).await;
    assert_eq!(reached.as_deref(), Ok(&b"ok"[..]));
    assert!(asked.await.expect("it was asked").starts_with("GET /v3 HTTP/1.1\r\n"));
}
