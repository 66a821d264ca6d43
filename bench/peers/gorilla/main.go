// A room server on gorilla/websocket, grown from its chat example: one hub, and for each client a goroutine that reads and one that
// writes. The writer puts all that is queued into one message, with newlines between, as the example does.
//
//	main PORT [--raw]
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	writeWait       = 10 * time.Second
	pongWait        = 60 * time.Second
	pingPeriod      = pongWait * 9 / 10
	messageBytesMax = 64 * 1024
	sendQueue       = 256
	writeBuffer     = 32 * 1024 // lent from a pool while writing
	gatherBytesMax  = 16 * 1024 // a message that outgrows its buffer would be sent in fragments
)

var newline = []byte{'\n'}

var upgrader = websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: writeBuffer, WriteBufferPool: &sync.Pool{}}

type command struct {
	Type string          `json:"type"`
	Room string          `json:"room"`
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
}

type event struct {
	Type           string          `json:"type"`
	ConversationID string          `json:"conversation_id"`
	Name           string          `json:"name"`
	Data           json.RawMessage `json:"data"`
	SenderID       string          `json:"sender_id"`
}

type joined struct {
	Type           string `json:"type"`
	ConversationID string `json:"conversation_id"`
}

type client struct {
	hub    *hub
	conn   *websocket.Conn
	send   chan []byte
	id     string
	room   string
	binary bool
}

type message struct {
	room  string
	bytes []byte
}

type hub struct {
	rooms     map[string]map[*client]bool
	join      chan *client
	leave     chan *client
	broadcast chan message
}

func (h *hub) run() {
	for {
		select {
		case c := <-h.join:
			if h.rooms[c.room] == nil {
				h.rooms[c.room] = make(map[*client]bool)
			}
			h.rooms[c.room][c] = true
		case c := <-h.leave:
			h.drop(c)
		case m := <-h.broadcast:
			for c := range h.rooms[m.room] {
				select {
				case c.send <- m.bytes:
				default:
					h.drop(c)
				}
			}
		}
	}
}

func (h *hub) drop(c *client) {
	if !h.rooms[c.room][c] {
		return
	}
	delete(h.rooms[c.room], c)
	close(c.send)
	if len(h.rooms[c.room]) == 0 {
		delete(h.rooms, c.room)
	}
}

// The answer stands in the queue before the hub may put deliveries behind it.
func (c *client) enter(room string, answer []byte) {
	c.room = room
	c.send <- answer
	c.hub.join <- c
}

func (c *client) json(bytes []byte) error {
	var in command
	if err := json.Unmarshal(bytes, &in); err != nil {
		return err
	}
	switch in.Type {
	case "publish":
		out, err := json.Marshal(event{"event", in.Room, in.Name, in.Data, c.id})
		if err != nil {
			return err
		}
		c.hub.broadcast <- message{in.Room, out}
	case "join":
		answer, err := json.Marshal(joined{"joined", in.Room})
		if err != nil {
			return err
		}
		c.enter(in.Room, answer)
	}
	return nil
}

// The first byte is the command: j and the room, or p and anything, for the room that was joined.
func (c *client) raw(bytes []byte) error {
	if bytes[0] == 'j' {
		c.enter(string(bytes[1:]), []byte("joined"))
	} else {
		c.hub.broadcast <- message{c.room, bytes}
	}
	return nil
}

func (c *client) readPump() {
	defer func() {
		c.hub.leave <- c
		c.conn.Close()
	}()
	serve := c.json
	if c.binary {
		serve = c.raw
	}
	c.conn.SetReadLimit(messageBytesMax)
	c.conn.SetReadDeadline(time.Now().Add(pongWait))
	c.conn.SetPongHandler(func(string) error { return c.conn.SetReadDeadline(time.Now().Add(pongWait)) })
	for {
		_, bytes, err := c.conn.ReadMessage()
		if err != nil || len(bytes) == 0 || serve(bytes) != nil {
			return
		}
	}
}

func (c *client) writePump() {
	ticker := time.NewTicker(pingPeriod)
	defer func() {
		ticker.Stop()
		c.conn.Close()
	}()
	kind := websocket.TextMessage
	if c.binary {
		kind = websocket.BinaryMessage
	}
	for {
		select {
		case bytes, ok := <-c.send:
			c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if !ok {
				c.conn.WriteMessage(websocket.CloseMessage, []byte{})
				return
			}
			if c.write(kind, bytes) != nil {
				return
			}
		case <-ticker.C:
			c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if err := c.conn.WriteMessage(websocket.PingMessage, nil); err != nil {
				return
			}
		}
	}
}

func (c *client) write(kind int, bytes []byte) error {
	w, err := c.conn.NextWriter(kind)
	if err != nil {
		return err
	}
	w.Write(bytes)
	written := len(bytes)
	for n := len(c.send); n > 0 && written < gatherBytesMax; n-- {
		next, ok := <-c.send
		if !ok {
			break // the next turn says goodbye
		}
		w.Write(newline)
		w.Write(next)
		written += len(next)
	}
	return w.Close()
}

func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func main() {
	raw := len(os.Args) > 2 && os.Args[2] == "--raw"
	h := &hub{make(map[string]map[*client]bool), make(chan *client), make(chan *client), make(chan message)}
	go h.run()
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := &client{hub: h, conn: conn, send: make(chan []byte, sendQueue), id: newID(), binary: raw}
		go c.writePump()
		go c.readPump()
	})))
}
