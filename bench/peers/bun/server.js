// A room server as Bun's documentation has it: a room is a topic, server.publish() reaches all who subscribed, the publisher too.
// server.js PORT [--raw]

const [port, mode] = process.argv.slice(2);

const json = (ws, text) => {
  const command = JSON.parse(text);
  if (command.type === "publish") {
    server.publish(command.room, JSON.stringify({
      type: "event", conversation_id: command.room, name: command.name, data: command.data, sender_id: ws.data.id,
    }));
  } else if (command.type === "join") {
    ws.subscribe(command.room);
    ws.send(JSON.stringify({ type: "joined", conversation_id: command.room }));
  }
};

const JOIN = "j".charCodeAt(0);

// The first byte is the command: j and the room, or p and anything, for the room that was joined.
const raw = (ws, bytes) => {
  if (bytes[0] === JOIN) {
    ws.data.room = bytes.toString("utf8", 1);
    ws.subscribe(ws.data.room);
    ws.send("joined");
  } else {
    server.publish(ws.data.room, bytes);
  }
};

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  fetch: (request, server) =>
    server.upgrade(request, { data: { id: crypto.randomUUID(), room: "" } }) ? undefined : new Response(null, { status: 426 }),
  websocket: { perMessageDeflate: false, message: mode === "--raw" ? raw : json },
});
