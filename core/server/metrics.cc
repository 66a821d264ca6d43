#include "core/server/metrics.h"

#include <array>
#include <string>

#include <prometheus/text_serializer.h>

#include "core/server/admin_thread.h"
#include "core/server/metric_rows.h"
#include "core/server/node_metrics.h"
#include "core/server/seccomp_filter.h"
#include "storage/postgres/postgres_store.h"
#include "storage/sqlite/sqlite_store.h"

namespace uproar::server {
namespace {

using namespace metrics;

constexpr auto kRingCounters = std::to_array<Row<runtime::RingCounters, Counter>>({
    {"uproar_ring_enters_total", "io_uring_enter calls", &runtime::RingCounters::enters},
    {"uproar_ring_submitted_total", "entries given to the kernel",
     &runtime::RingCounters::submitted},
    {"uproar_ring_completions_total", "completions handed to the handler",
     &runtime::RingCounters::completions},
    {"uproar_ring_recv_bytes_total", "recv bytes", &runtime::RingCounters::recv_bytes},
    {"uproar_ring_buffers_exhausted_total",
     "recv ended with -ENOBUFS: no error of the peer, re-arm when buffers_free() > 0",
     &runtime::RingCounters::buffers_exhausted},
    {"uproar_ring_cq_overflows_total",
     "turns that found the completion queue overflowed: alarm on it",
     &runtime::RingCounters::cq_overflows},
    {"uproar_ring_sends_total", "OP_SEND and OP_SENDMSG started", &runtime::RingCounters::sends},
    {"uproar_ring_send_troubles_total", "kSend completions: short, -EAGAIN or an error",
     &runtime::RingCounters::send_troubles},
    {"uproar_ring_adopts_refused_total", "direct table refused a descriptor",
     &runtime::RingCounters::adopts_refused},
    {"uproar_ring_wakes_sent_total", "MSG_RING to other rings", &runtime::RingCounters::wakes_sent},
    {"uproar_ring_wakes_refused_total", "their failures; -EOVERFLOW there means \"already awake\"",
     &runtime::RingCounters::wakes_refused},
    {"uproar_ring_submit_retries_total", "the kernel was out of memory for requests",
     &runtime::RingCounters::submit_retries},
});
constexpr auto kTurnCounters = std::to_array<Row<runtime::TurnCounters, Counter>>({
    {"uproar_turn_turns_total", "turns", &runtime::TurnCounters::turns},
    {"uproar_turn_sleeps_total", "turns that waited", &runtime::TurnCounters::sleeps},
    {"uproar_turn_sleeps_idle_total",
     "waits that ended by their timeout: deadlines, kSleepMaxUs (or a lost wake)",
     &runtime::TurnCounters::sleeps_idle},
    {"uproar_turn_tasks_total", "tasks run from the inbox", &runtime::TurnCounters::tasks},
    {"uproar_turn_timers_fired_total", "timers fired", &runtime::TurnCounters::timers_fired},
    {"uproar_turn_turns_cut_total", "turns that left completions for the next one",
     &runtime::TurnCounters::turns_cut},
});
constexpr auto kTurnHistograms = std::to_array<HistogramRow<runtime::TurnCounters>>({
    {"uproar_turn_seconds", "work per turn, waiting excluded", &runtime::TurnCounters::turn_us,
     Unit::kMicroseconds},
    {"uproar_turn_completions", "completions per turn", &runtime::TurnCounters::turn_completions,
     Unit::kEntries},
});
constexpr auto kNetCounters = std::to_array<Row<net::NetCounters, Counter>>({
    {"uproar_net_accepted_total", "accepted", &net::NetCounters::accepted},
    {"uproar_net_refused_address_rate_total", "too many handshakes from one address",
     &net::NetCounters::refused_address_rate},
    {"uproar_net_refused_address_open_total", "one address has as many connections as it may",
     &net::NetCounters::refused_address_open},
    {"uproar_net_made_room_total",
     "connections without a session that were ended when slots ran short",
     &net::NetCounters::made_room},
    {"uproar_net_work_deferred_total",
     "input that waited for a later turn: its client, or the shard, had done enough in one",
     &net::NetCounters::work_deferred},
    {"uproar_net_work_throttled_total",
     "input that waited until its client had paid for what it had caused",
     &net::NetCounters::work_throttled},
    {"uproar_net_refused_no_proxy_total",
     "with --proxy-protocol: connections that are not from a trusted proxy",
     &net::NetCounters::refused_no_proxy},
    {"uproar_net_refused_proxy_header_total",
     "with --proxy-protocol: connections of a trusted proxy that do not begin with a PROXY header",
     &net::NetCounters::refused_proxy_header},
    {"uproar_net_refused_full_total", "taken after accepting had stopped, closed at once",
     &net::NetCounters::refused_full},
    {"uproar_net_accept_paused_total", "high-water mark reached: accepting stopped",
     &net::NetCounters::accept_paused},
    {"uproar_net_accept_exhausted_total", "EMFILE, ENFILE, ENOBUFS or ENOMEM from accept",
     &net::NetCounters::accept_exhausted},
    {"uproar_net_accept_errors_total", "any other error", &net::NetCounters::accept_errors},
    {"uproar_net_adopt_refused_total", "no room in the direct-descriptor table",
     &net::NetCounters::adopt_refused},
    {"uproar_net_requests_total", "requests", &net::NetCounters::requests},
    {"uproar_net_request_errors_total", "answered with a 4xx or 5xx of this layer",
     &net::NetCounters::request_errors},
    {"uproar_net_upgrades_total", "upgrades", &net::NetCounters::upgrades},
    {"uproar_net_upgrades_refused_total", "by RFC 6455, Origin or the handler",
     &net::NetCounters::upgrades_refused},
    {"uproar_net_deadline_handshake_total", "deadline handshake",
     &net::NetCounters::deadline_handshake},
    {"uproar_net_deadline_http_idle_total", "deadline http idle",
     &net::NetCounters::deadline_http_idle},
    {"uproar_net_deadline_answer_total", "deadline answer", &net::NetCounters::deadline_answer},
    {"uproar_net_messages_in_total", "messages in", &net::NetCounters::messages_in},
    {"uproar_net_message_bytes_in_total", "message bytes in", &net::NetCounters::message_bytes_in},
    {"uproar_net_pings_in_total", "pings in", &net::NetCounters::pings_in},
    {"uproar_net_protocol_errors_total", "closed by us with 1002, 1003, 1007, 1009",
     &net::NetCounters::protocol_errors},
    {"uproar_net_control_floods_total", "closed with 1008", &net::NetCounters::control_floods},
    {"uproar_net_deadline_fragment_total", "deadline fragment",
     &net::NetCounters::deadline_fragment},
    {"uproar_net_deadline_close_total", "close handshake not finished by the peer",
     &net::NetCounters::deadline_close},
    {"uproar_net_idle_timeouts_total", "4208", &net::NetCounters::idle_timeouts},
    {"uproar_net_recv_bytes_total", "recv bytes", &net::NetCounters::recv_bytes},
    {"uproar_net_recv_starved_total", "receive ended because the buffer ring was empty",
     &net::NetCounters::recv_starved},
    {"uproar_net_reading_paused_total",
     "receives that were ended while requests or commands of the peer waited",
     &net::NetCounters::reading_paused},
    {"uproar_net_stale_completions_total", "for a slot that was freed meanwhile",
     &net::NetCounters::stale_completions},
    {"uproar_net_frames_published_total", "frames published", &net::NetCounters::frames_published},
    {"uproar_net_deliveries_total",
     "(frame, connection) pairs handed to the kernel or to an egress queue",
     &net::NetCounters::deliveries},
    {"uproar_net_sends_total", "send requests of any kind", &net::NetCounters::sends},
    {"uproar_net_gathers_total", "of them gather writes", &net::NetCounters::gathers},
    {"uproar_net_sends_blocked_total", "sends that came back short or with -EAGAIN",
     &net::NetCounters::sends_blocked},
    {"uproar_net_frames_queued_total", "references put into egress queues",
     &net::NetCounters::frames_queued},
    {"uproar_net_dropped_ephemeral_total", "slow readers, in the order in which they lose",
     &net::NetCounters::dropped_ephemeral},
    {"uproar_net_dropped_presence_total", "dropped presence", &net::NetCounters::dropped_presence},
    {"uproar_net_dropped_receipt_total", "dropped receipt", &net::NetCounters::dropped_receipt},
    {"uproar_net_closed_slow_total", "4201", &net::NetCounters::closed_slow},
    {"uproar_net_shed_shard_egress_total",
     "of them, who held most when the whole shard's budget was used",
     &net::NetCounters::shed_shard_egress},
    {"uproar_net_shed_http_buffers_total",
     "unfinished requests that the shard's budget had no room for",
     &net::NetCounters::shed_http_buffers},
    {"uproar_net_shed_unread_total", "paused WebSockets that the shard's budget had no room for",
     &net::NetCounters::shed_unread},
    {"uproar_net_runs_spilled_total", "a topic's run was full: members got references",
     &net::NetCounters::runs_spilled},
    {"uproar_net_holds_overflowed_total", "holds overflowed", &net::NetCounters::holds_overflowed},
    {"uproar_net_closed_clean_total", "closed clean", &net::NetCounters::closed_clean},
    {"uproar_net_closed_abnormal_total", "closed abnormal", &net::NetCounters::closed_abnormal},
});
constexpr auto kNetGauges = std::to_array<Row<net::NetCounters, Gauge>>({
    {"uproar_net_connections", "slots in use, closing ones included",
     &net::NetCounters::connections},
    {"uproar_net_websockets", "open WebSocket connections", &net::NetCounters::websockets},
    {"uproar_net_egress_bytes", "all queues of this shard", &net::NetCounters::egress_bytes},
});
constexpr auto kChatCounters = std::to_array<Row<chat::ChatCounters, Counter>>({
    {"uproar_chat_commands_total", "that reached a role (after the rate check)",
     &chat::ChatCounters::commands},
    {"uproar_chat_refused_total", "answered with an error, whatever the reason",
     &chat::ChatCounters::refused},
    {"uproar_chat_rate_limited_total", "rate limited", &chat::ChatCounters::rate_limited},
    {"uproar_chat_shares_asked_total", "commands that were asked of the share of their user",
     &chat::ChatCounters::shares_asked},
    {"uproar_chat_shares_waited_total", "of these, had to wait for it",
     &chat::ChatCounters::shares_waited},
    {"uproar_chat_quotas_refused_total", "refused because a quota of the day was used up",
     &chat::ChatCounters::quotas_refused},
    {"uproar_chat_shares_forgotten_total", "times the table of shares was full",
     &chat::ChatCounters::shares_forgotten},
    {"uproar_chat_overloaded_total", "a bound of limits.h was met",
     &chat::ChatCounters::overloaded},
    {"uproar_chat_commands_held_up_total",
     "commands that waited in a crowd, and their connection with them",
     &chat::ChatCounters::commands_held_up},
    {"uproar_chat_unavailable_total", "refused because the store cannot commit or read",
     &chat::ChatCounters::unavailable},
    {"uproar_chat_messages_committed_total", "messages committed",
     &chat::ChatCounters::messages_committed},
    {"uproar_chat_duplicates_total", "retries answered with the first result",
     &chat::ChatCounters::duplicates},
    {"uproar_chat_events_published_total", "event.publish", &chat::ChatCounters::events_published},
    {"uproar_chat_receipts_committed_total", "receipts committed",
     &chat::ChatCounters::receipts_committed},
    {"uproar_chat_receipts_coalesced_total",
     "marks that a newer one replaced before they were staged",
     &chat::ChatCounters::receipts_coalesced},
    {"uproar_chat_receipts_unpublished_total", "stored only: the conversation is too large",
     &chat::ChatCounters::receipts_unpublished},
    {"uproar_chat_typing_shed_total", "typers beyond the bound", &chat::ChatCounters::typing_shed},
    {"uproar_chat_presence_updates_total", "presence updates",
     &chat::ChatCounters::presence_updates},
    {"uproar_chat_presence_heard_total", "what other nodes said of users who are watched here",
     &chat::ChatCounters::presence_heard},
    {"uproar_chat_presence_old_total", "of that, known already or overtaken",
     &chat::ChatCounters::presence_old},
    {"uproar_chat_presence_reads_total", "users looked up in the presence store",
     &chat::ChatCounters::presence_reads},
    {"uproar_chat_sessions_opened_total", "sessions opened", &chat::ChatCounters::sessions_opened},
    {"uproar_chat_sessions_refused_total", "connections per user, tables full, store down",
     &chat::ChatCounters::sessions_refused},
    {"uproar_chat_not_live_total", "Conversations that a session had no room for, and was told so.",
     &chat::ChatCounters::not_live},
    {"uproar_chat_audience_loads_total",
     "reads of what sessions hear from their start, each for many of them",
     &chat::ChatCounters::audience_loads},
    {"uproar_chat_heartbeat_timeouts_total", "heartbeat timeouts",
     &chat::ChatCounters::heartbeat_timeouts},
    {"uproar_chat_sessions_expired_total", "their token has, and no other one came",
     &chat::ChatCounters::sessions_expired},
    {"uproar_chat_sessions_refreshed_total", "by session.refresh",
     &chat::ChatCounters::sessions_refreshed},
    {"uproar_chat_syncs_total", "syncs", &chat::ChatCounters::syncs},
    {"uproar_chat_sync_pages_total", "sync pages", &chat::ChatCounters::sync_pages},
    {"uproar_chat_sync_lookups_total", "reads of which conversations of a sync its user is in",
     &chat::ChatCounters::sync_lookups},
    {"uproar_chat_conversation_reads_total",
     "reads of the state of a conversation, whether or not there is one",
     &chat::ChatCounters::conversation_reads},
    {"uproar_chat_warm_reads_total",
     "reads of the newest rows of a conversation, for all who resume in it",
     &chat::ChatCounters::warm_reads},
    {"uproar_chat_stale_pages_total", "served from memory while the store was down",
     &chat::ChatCounters::stale_pages},
    {"uproar_chat_commits_failed_total", "operations whose batch failed",
     &chat::ChatCounters::commits_failed},
    {"uproar_chat_seqs_given_again_total",
     "messages stored under the seq of an older one: the database has lost what it acknowledged",
     &chat::ChatCounters::seqs_given_again},
    {"uproar_chat_repairs_total", "holes in the order, filled from the store",
     &chat::ChatCounters::repairs},
    {"uproar_chat_node_events_total", "events of other nodes that were heard",
     &chat::ChatCounters::node_events},
    {"uproar_chat_node_events_old_total",
     "of those, known already: a repair was faster, or they came twice",
     &chat::ChatCounters::node_events_old},
    {"uproar_chat_node_events_held_total", "of those, came before their turn",
     &chat::ChatCounters::node_events_held},
    {"uproar_chat_node_events_shed_total", "of those, found no room to wait: a repair brought them",
     &chat::ChatCounters::node_events_shed},
    {"uproar_chat_looks_total",
     "conversations compared with the store after something may have been missed",
     &chat::ChatCounters::looks},
    {"uproar_chat_audience_looks_total",
     "reads of what a session should hear, after something may have been missed",
     &chat::ChatCounters::audience_looks},
    {"uproar_chat_conversations_loaded_total", "conversations loaded",
     &chat::ChatCounters::conversations_loaded},
    {"uproar_chat_conversations_evicted_total", "conversations evicted",
     &chat::ChatCounters::conversations_evicted},
});
constexpr auto kChatHistograms = std::to_array<HistogramRow<chat::ChatCounters>>({
    {"uproar_chat_repair_seconds",
     "from seeing a hole in the order to its being closed, by a read or by what was on its way",
     &chat::ChatCounters::repair_us, Unit::kMicroseconds},
});
constexpr auto kGatewayCounters = std::to_array<Row<gateway::EventCounters, Counter>>({
    {"uproar_gateway_commands_total", "commands", &gateway::EventCounters::commands},
    {"uproar_gateway_decode_errors_total", "decode errors", &gateway::EventCounters::decode_errors},
    {"uproar_gateway_tokens_refused_total", "tokens refused",
     &gateway::EventCounters::tokens_refused},
    {"uproar_gateway_sessions_opened_total", "sessions opened",
     &gateway::EventCounters::sessions_opened},
    {"uproar_gateway_early_overflows_total", "said too much before it was known who they are",
     &gateway::EventCounters::early_overflows},
    {"uproar_gateway_session_open_timeouts_total", "session open timeouts",
     &gateway::EventCounters::session_open_timeouts},
    {"uproar_gateway_openings_turned_away_total",
     "told when to come back: more sessions began than --openings-per-second",
     &gateway::EventCounters::openings_turned_away},
    {"uproar_gateway_resumes_turned_away_total", "the same of those who resume",
     &gateway::EventCounters::resumes_turned_away},
});
constexpr auto kRevocationCounters = std::to_array<Row<gateway::RevocationCounters, Counter>>({
    {"uproar_gateway_revocations_forgotten_total",
     "logouts forgotten before their tokens expired: more than this shard remembers",
     &gateway::RevocationCounters::forgotten_early},
});
constexpr auto kAccountCounters = std::to_array<Row<gateway::AccountCounters, Counter>>({
    {"uproar_gateway_registrations_total", "users made", &gateway::AccountCounters::registrations},
    {"uproar_gateway_registrations_refused_total", "name or password against the rules, name taken",
     &gateway::AccountCounters::registrations_refused},
    {"uproar_gateway_logins_total", "logins", &gateway::AccountCounters::logins},
    {"uproar_gateway_logins_refused_total", "wrong name or password",
     &gateway::AccountCounters::logins_refused},
    {"uproar_gateway_refreshes_total", "refreshes answered with the next tokens",
     &gateway::AccountCounters::refreshes},
    {"uproar_gateway_refreshes_of_second_holders_total",
     "with a token that was used just before: an answer was lost, a tab copied, or a token stolen",
     &gateway::AccountCounters::refreshes_of_second_holders},
    {"uproar_gateway_refreshes_refused_total", "refresh tokens unknown, expired or used before",
     &gateway::AccountCounters::refreshes_refused},
    {"uproar_gateway_logins_limited_total",
     "logins, registrations and refreshes above the limit of an address or account",
     &gateway::AccountCounters::limited},
    {"uproar_gateway_logins_unserved_total",
     "logins, registrations and refreshes answered overloaded or unavailable",
     &gateway::AccountCounters::unserved},
    {"uproar_gateway_unknown_hosts_total",
     "those by a Host that is no name of this node, told the address of --listen: see "
     "--server-name",
     &gateway::AccountCounters::unknown_hosts},
});
constexpr auto kBatchCounters = std::to_array<Row<storage::BatchWriterCounters, Counter>>({
    {"uproar_batch_rows_total", "staged", &storage::BatchWriterCounters::rows},
    {"uproar_batch_batches_total", "commits that worked", &storage::BatchWriterCounters::batches},
    {"uproar_batch_failed_batches_total", "failed batches",
     &storage::BatchWriterCounters::failed_batches},
    {"uproar_batch_failed_rows_total",
     "answered kUnavailable, those that waited behind a failed batch included",
     &storage::BatchWriterCounters::failed_rows},
    {"uproar_batch_refused_full_total", "refused full",
     &storage::BatchWriterCounters::refused_full},
    {"uproar_batch_refused_unavailable_total", "refused unavailable",
     &storage::BatchWriterCounters::refused_unavailable},
    {"uproar_batch_probes_total", "probes", &storage::BatchWriterCounters::probes},
});
constexpr auto kBatchGauges = std::to_array<Row<storage::BatchWriterCounters, Gauge>>({
    {"uproar_batch_waiting_rows", "open batch", &storage::BatchWriterCounters::waiting_rows},
    {"uproar_batch_circuit_open", "lanes of the store whose circuit is open or probing",
     &storage::BatchWriterCounters::circuit_open},
});
constexpr auto kBatchHistograms = std::to_array<HistogramRow<storage::BatchWriterCounters>>({
    {"uproar_batch_size_rows", "rows of each batch given to the store",
     &storage::BatchWriterCounters::batch_rows, Unit::kEntries},
    {"uproar_batch_commit_seconds", "from handing a batch over to its outcomes",
     &storage::BatchWriterCounters::commit_us, Unit::kMicroseconds},
});
constexpr auto kRouterCounters = std::to_array<Row<RouterCounters, Counter>>({
    {"uproar_router_parcels_total", "parcels", &RouterCounters::parcels},
    {"uproar_router_held_back_total", "parcels that waited for room in a mailbox",
     &RouterCounters::held_back},
    {"uproar_router_shed_total", "lossy publishes dropped because a mailbox was full",
     &RouterCounters::shed},
});
constexpr auto kRouterGauges = std::to_array<Row<RouterCounters, Gauge>>({
    {"uproar_router_waiting", "parcels held back now", &RouterCounters::waiting},
});
constexpr auto kWriterCounters = std::to_array<Row<storage::sqlite::WriterCounters, Counter>>({
    {"uproar_store_commits_total", "transactions committed, each with one sync of the log",
     &storage::sqlite::WriterCounters::transactions},
    {"uproar_store_committed_jobs_total", "batches of shards and directory work in them",
     &storage::sqlite::WriterCounters::jobs},
    {"uproar_store_committed_rows_total", "rows in them", &storage::sqlite::WriterCounters::rows},
    {"uproar_store_failed_commits_total",
     "transactions that did not commit; nothing in them was acknowledged",
     &storage::sqlite::WriterCounters::failed_transactions},
    {"uproar_store_refused_writes_total", "jobs turned away because the write queue was full",
     &storage::sqlite::WriterCounters::refused_full},
    {"uproar_store_constraint_faults_total",
     "rows that broke the schema and were left out: a fault of the program, report it",
     &storage::sqlite::WriterCounters::constraint_faults},
    {"uproar_store_probes_total", "commits that the writer tried by itself while commits failed",
     &storage::sqlite::WriterCounters::probes},
    {"uproar_store_writer_reopens_total", "times the writer opened the database file again",
     &storage::sqlite::WriterCounters::reopened},
});
constexpr auto kWriterGauges = std::to_array<Row<storage::sqlite::WriterCounters, Gauge>>({
    {"uproar_store_up", "1 while commits work, 0 while they fail",
     &storage::sqlite::WriterCounters::up},
    {"uproar_store_write_queue_jobs", "jobs that wait for the writer",
     &storage::sqlite::WriterCounters::waiting_jobs},
    {"uproar_store_write_queue_bytes", "bytes that wait for the writer",
     &storage::sqlite::WriterCounters::waiting_bytes},
});
constexpr auto kWriterHistograms = std::to_array<HistogramRow<storage::sqlite::WriterCounters>>({
    {"uproar_store_commit_rows", "rows per commit",
     &storage::sqlite::WriterCounters::rows_per_commit, Unit::kEntries},
    {"uproar_store_commit_seconds", "from BEGIN to the end of COMMIT, the sync included",
     &storage::sqlite::WriterCounters::commit_us, Unit::kMicroseconds},
});
constexpr auto kReaderCounters = std::to_array<Row<storage::sqlite::ReaderCounters, Counter>>({
    {"uproar_store_reads_total", "reads begun", &storage::sqlite::ReaderCounters::reads},
    {"uproar_store_refused_reads_total", "reads turned away because the read queue was full",
     &storage::sqlite::ReaderCounters::refused_full},
    {"uproar_store_reader_reopens_total", "times a reader opened the database file again",
     &storage::sqlite::ReaderCounters::reopened},
});
constexpr auto kReaderGauges = std::to_array<Row<storage::sqlite::ReaderCounters, Gauge>>({
    {"uproar_store_read_queue_jobs", "reads that wait for a reader",
     &storage::sqlite::ReaderCounters::waiting},
});
constexpr auto kReaderHistograms = std::to_array<HistogramRow<storage::sqlite::ReaderCounters>>({
    {"uproar_store_read_seconds", "one read, waiting excluded",
     &storage::sqlite::ReaderCounters::read_us, Unit::kMicroseconds},
});

constexpr auto kPostgresCounters = std::to_array<Row<storage::postgres::WriteCounters, Counter>>({
    {"uproar_store_commits_total", "transactions committed: batches, and groups of account work",
     &storage::postgres::WriteCounters::transactions},
    {"uproar_store_committed_rows_total", "operations in them",
     &storage::postgres::WriteCounters::rows},
    {"uproar_store_failed_commits_total",
     "transactions that did not commit, or whose answer never came; nothing in them was "
     "acknowledged",
     &storage::postgres::WriteCounters::failed},
    {"uproar_store_restarted_batches_total",
     "batches that began again: a key was taken meanwhile, or a deadlock",
     &storage::postgres::WriteCounters::restarted},
    {"uproar_store_constraint_faults_total",
     "operations that the schema refused: a fault of the program, report it",
     &storage::postgres::WriteCounters::left_out},
    {"uproar_store_refused_writes_total", "jobs turned away because the write queue was full",
     &storage::postgres::WriteCounters::refused_full},
    {"uproar_store_probes_total", "commits that were tried while commits failed",
     &storage::postgres::WriteCounters::probes},
    {"uproar_store_connects_total", "times a session for writing was opened",
     &storage::postgres::WriteCounters::connects},
});
constexpr auto kPostgresGauges = std::to_array<Row<storage::postgres::WriteCounters, Gauge>>({
    {"uproar_store_up", "1 while connected and commits work, 0 while they fail",
     &storage::postgres::WriteCounters::up},
});
constexpr auto kPostgresHistograms = std::to_array<HistogramRow<storage::postgres::WriteCounters>>({
    {"uproar_store_commit_rows", "operations per commit",
     &storage::postgres::WriteCounters::rows_per_commit, Unit::kEntries},
    {"uproar_store_commit_seconds", "from the first statement to the answer of the commit",
     &storage::postgres::WriteCounters::commit_us, Unit::kMicroseconds},
});

void add_sqlite(const storage::SqliteStore& store, std::vector<MetricFamily>& families) {
  const std::vector<Source<storage::sqlite::WriterCounters>> writer{{"", &store.writer_counters()}};
  add(writer, kWriterCounters, families);
  add(writer, kWriterGauges, families);
  add(writer, kWriterHistograms, families);
  const std::vector<Source<storage::sqlite::ReaderCounters>> reader{{"", &store.reader_counters()}};
  add(reader, kReaderCounters, families);
  add(reader, kReaderGauges, families);
  add(reader, kReaderHistograms, families);
}

// Each shard has sessions of its own for writing, numbered over all shards in the order in which these came to open them.
void add_postgres(const storage::PostgresStore& store, std::vector<MetricFamily>& families) {
  const auto kept = store.counters();
  std::vector<Source<storage::postgres::WriteCounters>> sessions;
  for (std::size_t i = 0; i < kept.size(); ++i)
    sessions.push_back({std::to_string(i), kept[i].get(), "session"});
  add(sessions, kPostgresCounters, families);
  add(sessions, kPostgresGauges, families);
  add(sessions, kPostgresHistograms, families);
}

MetricFamily refused_calls() {
  MetricFamily family{"uproar_seccomp_refused_total",
                      "system calls that a server does not make, refused with EPERM",
                      MetricType::Counter,
                      {}};
  prometheus::ClientMetric metric;
  metric.counter.value = static_cast<double>(refused_system_calls());
  family.metric.push_back(std::move(metric));
  return family;
}

constexpr auto kAdminCounters = std::to_array<Row<gateway::AdminCounters, Counter>>({
    {"uproar_admin_scrapes_total", "answers with metrics", &gateway::AdminCounters::scrapes},
    {"uproar_admin_renderings_total", "texts rendered for them, at most one a second",
     &gateway::AdminCounters::renderings},
    {"uproar_admin_refused_hosts_total",
     "requests at a loopback address that said another host than localhost or an address",
     &gateway::AdminCounters::strangers},
});
constexpr auto kAdminHistograms = std::to_array<HistogramRow<AdminThreadCounters>>({
    {"uproar_admin_rendering_seconds", "rendering a text of metrics, on the thread for that",
     &AdminThreadCounters::rendering_us, Unit::kMicroseconds},
});

void add_admin(const AdminThreadCounters& counters, std::vector<MetricFamily>& families) {
  add(std::vector<Source<gateway::AdminCounters>>{{"", &counters.gateway}}, kAdminCounters,
      families);
  add(std::vector<Source<AdminThreadCounters>>{{"", &counters}}, kAdminHistograms, families);
}

}  // namespace

std::string render_metrics(const std::vector<std::unique_ptr<Shard>>& shards,
                           const StoreCounters& store, const AdminThreadCounters* admin) {
  std::vector<MetricFamily> families;
  const auto ring = per_shard(shards, [](const Shard& shard) { return &shard.ring_counters(); });
  add(ring, kRingCounters, families);
  const auto turn = per_shard(shards, [](const Shard& shard) { return &shard.turn_counters(); });
  add(turn, kTurnCounters, families);
  add(turn, kTurnHistograms, families);
  const auto net = per_shard(shards, [](const Shard& shard) { return shard.net_counters(); });
  add(net, kNetCounters, families);
  add(net, kNetGauges, families);
  const auto chat = per_shard(shards, [](const Shard& shard) { return shard.chat_counters(); });
  add(chat, kChatCounters, families);
  add(chat, kChatHistograms, families);
  const auto events = per_shard(shards, [](const Shard& shard) { return shard.event_counters(); });
  add(events, kGatewayCounters, families);
  const auto revocations =
      per_shard(shards, [](const Shard& shard) { return shard.revocation_counters(); });
  add(revocations, kRevocationCounters, families);
  const auto accounts =
      per_shard(shards, [](const Shard& shard) { return shard.account_counters(); });
  add(accounts, kAccountCounters, families);
  const auto batch = per_shard(shards, [](const Shard& shard) { return shard.batch_counters(); });
  add(batch, kBatchCounters, families);
  add(batch, kBatchGauges, families);
  add(batch, kBatchHistograms, families);
  const auto router =
      per_shard(shards, [](const Shard& shard) { return &shard.router_counters(); });
  add(router, kRouterCounters, families);
  add(router, kRouterGauges, families);
  add_node_metrics(shards, families);
  families.push_back(refused_calls());
  if (store.sqlite != nullptr) add_sqlite(*store.sqlite, families);
  if (store.postgres != nullptr) add_postgres(*store.postgres, families);
  if (admin != nullptr) add_admin(*admin, families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace uproar::server
