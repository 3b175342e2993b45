{
  const page = JSON.parse(document.getElementById('rating-data').textContent);
  const KEY = `borderline-rating-${page.page}`;
  // A second tap or a held key is no answer to the next image.
  const SHORTEST = 0.15;
  const part = (id) => document.getElementById(id);
  const buttons = [...document.querySelectorAll('[data-answer]')];
  const names = Object.fromEntries(buttons.map(({dataset}) => [dataset.key, dataset.answer]));

  let storage = true;
  function stored() {
    try {
      return JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      return {};
    }
  }

  const state = {rater: '', at: 0, answers: {}};
  let saved = true; // whether all answers are in a downloaded file
  let shownAt = performance.now();
  let looked = 0; // seconds before the page was last hidden

  // A busy browser may lose what a page has just stored when it is reloaded. The history of the tab
  // holds it too; the newer of both counts, and is stored again.
  function read() {
    const [found, inHistory] = [stored(), history.state?.[KEY] ?? {}];
    const newer = (inHistory.kept ?? 0) > (found.kept ?? 0);
    const {rater = '', at = 0, answers = {}} = newer ? inHistory : found;
    Object.assign(state, {rater, at, answers});
    if (newer) write(KEY, JSON.stringify(inHistory));
    part('rater').value = state.rater;
    show();
  }

  function write(key, text) {
    try {
      localStorage.setItem(key, text);
    } catch {
      if (storage) say('This browser keeps nothing: download your answers before you close the page.');
      storage = false;
    }
  }

  function keep() {
    const text = JSON.stringify({...state, kept: Date.now()});
    write(KEY, text);
    history.replaceState({[KEY]: JSON.parse(text)}, '');
  }

  function say(text) {
    part('message').textContent = text;
  }

  const answered = () => Object.keys(state.answers).length;
  const seconds = () => looked + (document.hidden ? 0 : (performance.now() - shownAt) / 1000);

  function show() {
    const {items} = page;
    const item = items[state.at];
    const done = item === undefined;
    const given = done ? undefined : state.answers[item.id]?.answer;
    part('place').textContent = done ? 'The end' : `Image ${state.at + 1} of ${items.length}`;
    part('count').textContent = `${answered()} answered`;
    part('progress').value = answered();
    part('frame').hidden = part('answers').hidden = done;
    part('end').hidden = !done;
    if (!done) {
      part('shown').src = `data:image/png;base64,${item.png}`;
      part('shown').alt = `Image ${state.at + 1}, to be judged by eye`;
    }
    for (const button of buttons) {
      button.setAttribute('aria-pressed', String(button.dataset.answer === given));
    }
    part('back').disabled = state.at === 0;
    part('forward').disabled = given === undefined;
    part('download').disabled = answered() === 0;
    [shownAt, looked] = [performance.now(), 0];
  }

  // On a small screen the introduction leaves no room for image and answers.
  function bringIntoView() {
    if (part('answers').getBoundingClientRect().bottom > innerHeight) part('rate').scrollIntoView();
  }

  function go(step) {
    const to = state.at + step;
    if (to < 0 || (step > 0 && part('forward').disabled)) return;
    state.at = to;
    keep();
    show();
    bringIntoView();
  }

  function answer(name) {
    const item = page.items[state.at];
    if (item === undefined || seconds() < SHORTEST) return;
    state.answers[item.id] = {answer: name, seconds: Math.round(seconds() * 1000) / 1000};
    state.at += 1;
    saved = false;
    say('');
    keep();
    show();
    if (state.at === page.items.length) part('download').focus();
    else bringIntoView();
  }

  function download() {
    const rater = state.rater.trim();
    part('rater').setAttribute('aria-invalid', String(!rater));
    if (!rater) {
      say('Enter your name or initials first.');
      part('rater').focus();
      return;
    }
    const content = {format: 1, page: page.page, rater, answers: state.answers};
    const link = document.createElement('a');
    const url = URL.createObjectURL(
      new Blob([JSON.stringify(content, null, 1)], {type: 'application/json'}),
    );
    link.href = url;
    link.download = `${page.model}-${rater.replace(/[^\p{L}\p{N}]+/gu, '_')}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    saved = true;
    const rest = page.items.length - answered();
    say(`${link.download} is saved. ${rest ? `${rest} images are left: you can go on, and download again.` : 'All images are answered.'}`);
  }

  for (const button of buttons) {
    button.addEventListener('click', () => answer(button.dataset.answer));
  }
  part('back').addEventListener('click', () => go(-1));
  part('forward').addEventListener('click', () => go(1));
  part('download').addEventListener('click', download);
  part('rater').addEventListener('input', (event) => {
    state.rater = event.target.value;
    part('rater').removeAttribute('aria-invalid');
    keep();
  });
  part('rater').addEventListener('keydown', (event) => {
    if (event.key === 'Enter') part('rate').focus();
  });
  part('delete').addEventListener('click', () => {
    if (!confirm(`Delete your ${answered()} answers from this browser?`)) return;
    Object.assign(state, {rater: '', at: 0, answers: {}});
    part('rater').value = '';
    saved = true;
    keep();
    say('Your answers are deleted.');
    show();
  });
  addEventListener('keydown', (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches?.('input')) return;
    const name = names[event.key];
    if (name) answer(name);
    else if (event.key === 'Backspace') go(-1);
    else return;
    event.preventDefault();
  });
  // Only the time that the image is in view counts.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) looked += (performance.now() - shownAt) / 1000;
    shownAt = performance.now();
  });
  addEventListener('beforeunload', (event) => {
    if (!storage && !saved) event.preventDefault();
  });

  // A busy browser may show stored answers late. So opening the page writes nothing older over
  // them: only another key, to see whether the browser keeps anything.
  addEventListener('storage', ({key}) => {
    if (key === KEY && answered() === 0) read();
  });
  read();
  write(`${KEY}-test`, '');
}
