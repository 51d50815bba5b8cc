// The shelf: files and runs, uploads and downloads. A link has a ticket of its own, so that the browser
// saves the file or opens the report by itself.
const ticketFor = async (number) => JSON.parse(await asked("POST", "/room/ask", String(number))).ticket;

const save = async (file) => {
  const link = make("a");
  link.href = `/room/files/${await ticketFor(file.number)}`;
  link.download = "";
  link.click();
};

const openReport = async (file) => {
  // Opened at once: browsers allow a new tab only as an answer to the click.
  const tab = window.open("", "_blank");
  try {
    const address = `/room/runs/${await ticketFor(file.number)}`;
    if (tab) { tab.opener = null; tab.location = address; } else location = address;
  } catch (error) {
    if (tab) tab.close();
    throw error;
  }
};

const fileItem = (file, canTake, tell) => {
  const item = make("li");
  item.append(make("span", "name", file.name));
  const forOne = file.to ? `, for ${file.to}` : "";
  item.append(make("span", "what", `${file.number} · ${size(file.bytes)} · from ${file.from}${forOne}`));
  if (canTake) {
    const actions = make("span", "actions");
    const action = (text, label, act) => {
      const button = make("button", "", text);
      button.type = "button";
      button.setAttribute("aria-label", `${label} ${file.name}`);
      button.addEventListener("click", () => act(file).catch((error) => tell(error.message)));
      actions.append(button);
    };
    if (file.kind === "run") action("Report", "Open the report of", openReport);
    action("Save", "Save", save);
    item.append(actions);
  }
  return item;
};

const showFiles = (list, count, files, canTake, none, tell) => {
  count.textContent = files.length || "";
  list.replaceChildren(...files.map((file) => fileItem(file, canTake, tell)));
  if (!files.length) list.append(make("li", "none", none));
};

// One request; its progress is that of the bytes sent.
const send = (ticket, blob, offset, progress) => new Promise((done, failed) => {
  const upload = new XMLHttpRequest();
  upload.open("PUT", `/room/files/${ticket}`);
  upload.setRequestHeader("x-offset", offset);
  upload.upload.addEventListener("progress", (event) => progress(offset + event.loaded));
  upload.addEventListener("load", () => {
    if (upload.status === 200) return done(null);
    if (upload.status === 416) return done(Number(upload.getResponseHeader("x-offset")));
    failed(Object.assign(new Error(upload.responseText.trim()), { refused: true }));
  });
  upload.addEventListener("error", () => failed(new Error("the connection was cut")));
  upload.send(blob.slice(offset));
});

// Sends a file; after a cut it goes on where it stopped.
const uploadFile = async (file, to, list) => {
  const item = make("li", "", file.name), bar = make("progress");
  bar.max = file.size || 1;
  bar.value = 0;
  bar.setAttribute("aria-label", `sending ${file.name}`);
  item.append(bar);
  list.append(item);
  try {
    const offer = { name: file.name, bytes: file.size, ...(to && { to }) };
    const answer = JSON.parse(await asked("POST", "/room/offer", JSON.stringify(offer)));
    let offset = answer.upload.offset, tries = 0;
    while (offset !== null) {
      try {
        offset = await send(answer.upload.ticket, file, offset, (sent) => { bar.value = sent; });
      } catch (error) {
        if (error.refused || ++tries > 5) throw error;
        await new Promise((again) => setTimeout(again, 1000 * tries));
      }
    }
    item.remove();
  } catch (error) {
    bar.remove();
    item.textContent = `${file.name}: ${error.message}`;
    item.setAttribute("role", "alert");
  }
};
