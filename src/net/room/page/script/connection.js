// The session with the room: requests up, a stream of events down. The session's name goes back in a
// header, and stays in this tab alone.
const SESSION = "udpecho-room-session";
const connection = { session: sessionStorage.getItem(SESSION), closed: false };

const request = async (method, path, body, headers = {}) => {
  if (connection.session) headers["x-room-session"] = connection.session;
  for (let tries = 0; ; tries++) {
    try {
      return await fetch(path, { method, body, headers });
    } catch (error) {
      // The room closes a connection that it took for a chat; the next one is a new one.
      if (tries === 2) throw new Error("no connection to the room");
      await new Promise((again) => setTimeout(again, 150));
    }
  }
};

// The answer's text if the request was not refused; else the refusal as an error.
const asked = async (method, path, body, headers) => {
  const answer = await request(method, path, body, headers);
  const text = (await answer.text()).trim();
  if (!answer.ok) throw Object.assign(new Error(text || `the room answered ${answer.status}`), { status: answer.status });
  return text;
};

const enterRoom = async (name, word) => {
  const { session, events } = JSON.parse(await asked("POST", "/room/enter", JSON.stringify({ name, word })));
  connection.session = session;
  sessionStorage.setItem(SESSION, session);
  return events;
};

const forgetSession = () => {
  connection.session = null;
  sessionStorage.removeItem(SESSION);
};

// Reads one stream until it ends.
const readEvents = async (take) => {
  const answer = await request("GET", "/room/events");
  if (answer.status === 401) throw Object.assign(new Error("session"), { status: 401 });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) take(JSON.parse(line.slice(6)));
  }
};

// Follows the room, across cuts of the connection, until this page leaves or the room forgets it.
const follow = async (take, state) => {
  connection.closed = false;
  for (let wait = 500; connection.session; wait = Math.min(2 * wait, 5000)) {
    try {
      await readEvents((event) => { wait = 500; state("live"); take(event); });
    } catch (error) {
      if (error.status === 401) return state("forgotten");
    }
    if (connection.closed || !connection.session) return state("left");
    state("cut");
    await new Promise((again) => setTimeout(again, wait));
  }
};
