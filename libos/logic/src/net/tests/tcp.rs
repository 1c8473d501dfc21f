//! What TCP sockets promise.

use super::sim::Net;
use super::*;

#[test]
fn a_refused_port_says_so() {
    let net = Net::new();
    let client = connecting(&net.a, "10.0.0.2:81");
    net.sleep(Duration::from_secs(1));
    assert_eq!(so_error(&*client), i32::from(Errno::ECONNREFUSED.code()));
    assert_eq!(so_error(&*client), 0);
}

#[test]
fn debug_me() {
    let net = Net::new();
    net.cable.lock().unwrap().tap = Some(vec![]);
    let server = listener(&net.b, 80, 8);
    let client = connecting(&net.a, "10.0.0.2:80");
    net.sleep(Duration::from_millis(3000)); let n = net.steps.get(); net.sleep(Duration::from_secs(100)); println!("steps {} {}", n, net.steps.get());
    for f in net.cable.lock().unwrap().tap.take().unwrap().iter().take(20) {
        println!("{f:02x?}");
    }
    println!("{:?} {:?}", client.ready(), server.ready());
    let _ = (pattern(1), set(&*client, 1, 2, 1), set_linger(&*client, 2), net.cable.lock().unwrap().inject(0, vec![1]));
}
