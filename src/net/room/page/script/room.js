// The room: talk, members, measurements, and how they change.
const LOG = "udpecho-room-log";
const LINES = 500;
const room = { you: "", role: "guest", mayMeasure: false, ordered: false, log: JSON.parse(sessionStorage.getItem(LOG) || "[]") };

const addLine = (line) => {
  const log = $("log"), atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const paragraph = make("p", line.classes);
  paragraph.append(make("time", "", line.at));
  if (line.from) paragraph.append(make("span", "from", line.from));
  if (line.to) paragraph.append(make("span", "to", `to ${line.to}`));
  paragraph.append(line.text);
  log.append(paragraph);
  while (log.childElementCount > LINES) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
};

const keepLine = (line) => {
  addLine(line);
  room.log.push(line);
  room.log.splice(0, room.log.length - LINES);
  try { sessionStorage.setItem(LOG, JSON.stringify(room.log)); } catch { /* full: a reload shows less */ }
};

const notice = (text) => keepLine({ at: clock(), text: text.replace(/^-- /, ""),
  classes: /\bBUSY\b|\bbusy in\b/.test(text) ? "notice busy" : "notice" });

const said = ({ from, to, text }) => {
  const classes = [from === room.you && "own", to.length && "private"].filter(Boolean).join(" ");
  keepLine({ at: clock(), from, to: to.join(", "), text, classes });
};

const showLoad = (load) => {
  if (load === null || load === undefined) return [make("span", "load", "load not shared")];
  const parts = [make("span", `load ${/^not busy/.test(load) ? "quiet" : /busy/i.test(load) ? "busy" : "quiet"}`, load)];
  const cpu = /CPU (\d+(?:\.\d+)?) ?%/.exec(load);
  if (cpu) {
    const meter = make("meter");
    meter.max = 100;
    meter.high = 80;
    meter.value = Number(cpu[1]);
    meter.setAttribute("aria-label", `CPU ${cpu[1]} %`);
    parts.push(meter);
  }
  return parts;
};

const showMembers = (here) => {
  $("members-count").textContent = here.length;
  $("members").replaceChildren(...here.map((one) => {
    const item = make("li");
    item.append(make("span", "name", one.name + (one.name === room.you ? " (you)" : "")));
    item.append(make("span", "via", one.role === "guest" ? `${one.via}, guest` : one.via));
    if (one.load || one.via === "client" || one.via === "agent") item.append(...showLoad(one.load));
    return item;
  }));
};

const enableFields = () => {
  for (const field of $("measure").elements) field.disabled = !room.mayMeasure || field.closest("label")?.hidden === true;
};

// Only our clients can measure.
const showChoices = (here) => {
  const names = here.filter((one) => one.via === "client" || one.via === "agent").map((one) => one.name);
  for (const id of ["measure-from", "measure-to"]) {
    const list = $(id), chosen = list.value;
    list.replaceChildren(...names.map((name) => make("option", "", name)));
    if (names.includes(chosen)) list.value = chosen;
  }
  if ($("measure-to").value === $("measure-from").value && names.length > 1) {
    $("measure-to").value = names.find((name) => name !== $("measure-from").value);
  }
  const isMember = room.role === "member";
  const why = !isMember ? "Only members measure." + (document.body.dataset.keyed === "true" ? " Enter with the room's word." : "")
    : names.length < 2 ? "Two hosts are needed: udpecho join on each of them." : "";
  $("measure-hint").textContent = why;
  room.mayMeasure = why === "";
  enableFields();
};

const showWhat = () => {
  const isPath = $("measure-what").value === "path";
  for (const label of document.querySelectorAll("#measure .path")) label.hidden = !isPath;
  for (const label of document.querySelectorAll("#measure .ports")) label.hidden = isPath;
  enableFields();
};
$("measure-what").addEventListener("change", showWhat);

const showState = (state) => {
  room.you = state.you;
  room.role = state.role;
  const isMember = room.role === "member";
  $("status").textContent = `you are ${state.you}, ${isMember ? "member" : "guest"}`;
  showMembers(state.here);
  $("measure-section").hidden = !state.measures;
  showChoices(state.here);
  const tell = (text) => { $("say-error").textContent = text; };
  const isRun = (file) => file.kind === "run";
  const [runs, files] = [state.files.filter(isRun).reverse(), state.files.filter((file) => !isRun(file)).reverse()];
  showFiles($("runs"), $("runs-count"), runs, isMember, "no measurement yet", tell);
  showFiles($("files"), $("shelf-count"), files, isMember, "nothing here yet", tell);
  $("upload").hidden = !isMember;
};

// On a phone the talk is out of sight of the form: the news of an order stands there, too.
const tellForm = ({ event, lines }) => {
  const isOfOrder = event === "order" || (event === "refused" && room.ordered);
  if (isOfOrder && lines.length) $("measure-news").textContent = lines.at(-1).replace(/^-- /, "");
  if (isOfOrder) room.ordered = false;
};

const takeEvent = (event) => {
  tellForm(event);
  switch (event.event) {
    case "state": return showState(event);
    case "said": return said(event);
    case "greeting": case "put": case "get": return undefined;
    case "welcome": room.you = event.name; return event.lines.slice(1).forEach(notice);
    case "closed":
      connection.closed = true;
      return notice(event.reason ? event.lines[0] : "you have left the room");
    default: return event.lines.forEach(notice);
  }
};

const showRoom = (isIn) => {
  $("enter").hidden = isIn;
  $("room").hidden = $("leave").hidden = !isIn;
  if (isIn) {
    $("log").replaceChildren();
    room.log.forEach(addLine);
    $("log").scrollTop = $("log").scrollHeight;
  }
};

const stayInRoom = async () => {
  showRoom(true);
  await follow(takeEvent, (state) => {
    $("status").className = state === "live" ? "live" : state === "cut" ? "gone" : "";
    if (state === "cut") $("status").textContent = "connection lost; trying again";
    if (state === "forgotten" || state === "left") {
      forgetSession();
      $("status").textContent = state === "left" ? "you have left" : "the room has forgotten this page; enter again";
      showRoom(false);
      $("enter-name").focus();
    }
  });
};

$("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("enter-error").textContent = "";
  try {
    const events = await enterRoom($("enter-name").value.trim(), $("enter-word").value);
    localStorage.setItem("udpecho-room-name", $("enter-name").value.trim());
    $("enter-word").value = "";
    showRoom(true);
    events.forEach(takeEvent);
    $("say-text").focus();
    stayInRoom();
  } catch (error) {
    $("enter-error").textContent = error.message;
  }
});

const say = async (line) => {
  $("say-error").textContent = "";
  try {
    await asked("POST", "/room/say", line);
    return true;
  } catch (error) {
    $("say-error").textContent = error.message;
    return false;
  }
};

$("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("say-text"), line = text.value;
  if (line.trim() === "") return;
  text.value = "";
  if (!await say(line)) text.value = line;
});

$("measure").addEventListener("submit", (event) => {
  event.preventDefault();
  const [from, to] = [$("measure-from").value, $("measure-to").value];
  const what = $("measure-what").value;
  if (from === to) {
    $("measure-hint").textContent = "Choose two different hosts.";
    return;
  }
  room.ordered = true;
  if (what !== "path") say(`/ports ${from} ${to} ${$("measure-ports").value} ${what}`);
  else say(`/ping ${from} ${to} -n ${$("measure-count").value} -i ${$("measure-interval").value}`);
});

const upload = (files) => { for (const file of files) uploadFile(file, null, $("uploads")); };
$("upload-file").addEventListener("change", () => { upload($("upload-file").files); $("upload-file").value = ""; });
$("shelf").addEventListener("dragover", (event) => { event.preventDefault(); $("shelf").classList.add("over"); });
$("shelf").addEventListener("dragleave", () => $("shelf").classList.remove("over"));
$("shelf").addEventListener("drop", (event) => {
  event.preventDefault();
  $("shelf").classList.remove("over");
  if (room.role === "member") upload(event.dataTransfer.files);
});

$("leave").addEventListener("click", async () => {
  connection.closed = true;
  try { await asked("POST", "/room/leave"); } catch { /* gone already */ }
  forgetSession();
  room.log = [];
  sessionStorage.removeItem(LOG);
  showRoom(false);
  $("status").textContent = "you have left";
  $("status").className = "";
});

$("plain").hidden = location.protocol === "https:";
$("enter-name").value = localStorage.getItem("udpecho-room-name") || "";
$("enter-word-label").hidden = document.body.dataset.keyed !== "true";
if (connection.session) stayInRoom(); else $("enter-name").focus();
