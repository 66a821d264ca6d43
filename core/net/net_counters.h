#pragma once

// What one shard's network layer has done, refused, shed and lost. Written by the shard, read by anyone.

#include "proto/base/counters.h"

namespace uproar::net {

struct NetCounters {
  // Accepting.
  Gauge connections;  // slots in use, closing ones included
  Gauge websockets;   // open WebSocket connections
  Counter accepted;
  Counter refused_address_rate;  // too many handshakes from one address
  Counter refused_address_open;  // one address has as many connections as it may
  Counter made_room;             // ended to make room: no session, of the address with most of them
  Counter refused_no_proxy;      // with proxy_protocol: not from a trusted proxy
  Counter refused_proxy_header;  // from one, and it does not begin with a PROXY header
  Counter refused_full;          // taken after accepting had stopped, closed at once
  Counter accept_paused;         // high-water mark reached: accepting stopped
  Counter accept_exhausted;      // EMFILE, ENFILE, ENOBUFS or ENOMEM from accept
  Counter accept_errors;         // any other error
  Counter adopt_refused;         // no room in the direct-descriptor table

  // HTTP and handshake.
  Counter requests;
  Counter request_errors;  // answered with a 4xx or 5xx of this layer
  Counter upgrades;
  Counter upgrades_refused;  // by RFC 6455, Origin or the handler
  Counter deadline_handshake;
  Counter deadline_http_idle;
  Counter deadline_answer;

  // WebSocket in.
  Counter messages_in;
  Counter message_bytes_in;
  Counter pings_in;
  Counter protocol_errors;  // closed by us with 1002, 1003, 1007, 1009
  Counter control_floods;   // closed with 1008
  Counter deadline_fragment;
  Counter deadline_close;  // close handshake not finished by the peer
  Counter idle_timeouts;   // 4208
  Counter recv_bytes;
  Counter recv_starved;    // receive ended because the buffer ring was empty
  Counter reading_paused;  // backpressure: receives that were ended
  Counter
      work_deferred;  // input that waits for a later turn: the client or the shard had done enough in this one
  Counter work_throttled;     // input that waits until its client has paid for what it caused
  Counter stale_completions;  // for a slot that was freed meanwhile

  // Out.
  Counter frames_published;
  Counter deliveries;     // (frame, connection) pairs handed to the kernel or to an egress queue
  Counter sends;          // send requests of any kind
  Counter gathers;        // of them gather writes
  Counter sends_blocked;  // sends that came back short or with -EAGAIN
  Counter
      sends_lost_track;  // closed because a send's result came too late (completion queue overflow): alarm
  Counter frames_queued;      // references put into egress queues
  Counter dropped_ephemeral;  // slow readers, in the order in which they lose
  Counter dropped_presence;
  Counter dropped_receipt;
  Counter closed_slow;        // 4201
  Counter shed_shard_egress;  // of them, who held most when the whole shard's budget was used
  Counter
      shed_http_buffers;  // requests of who held most, ended because the shard's budget for input was used
  Counter shed_unread;   // WebSockets, likewise
  Counter runs_spilled;  // a topic's run was full: members got references
  Counter holds_overflowed;
  Gauge egress_bytes;  // all queues of this shard

  Counter closed_clean;
  Counter closed_abnormal;
};

}  // namespace uproar::net
