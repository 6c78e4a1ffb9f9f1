// Jeton: keeps the session token of an embedded page fresh. How to use it, and what it does when something fails:
// docs/embedding.md. Comments and indentation are not sent.
(root => {
  'use strict';
  const script = document.currentScript;
  const base = script && script.src;
  const PATIENCE = 30000, POLL = 30000, RETRY_FIRST = 1000, RETRY_MOST = 30000;

  // Some clocks stop while the machine sleeps, others are set wrong or set anew: of two the larger elapsed time counts.
  const clock = () => [Date.now(), performance.now()];
  const since = then => Math.max(Date.now() - then[0], performance.now() - then[1]);

  // An error says what failed. It never holds a token.
  const fault = (what, more) => Object.assign(new Error('jeton: ' + what), more);

  const refusal = async (what, reply) => {
    const problem = await reply.json().catch(() => 0) || {};
    const after = reply.headers.get('retry-after') * 1000;
    return fault(what + ' ' + reply.status, { status: reply.status, code: problem.code, retryAfter: after });
  };

  const session = options => {
    const source = options.fetchToken;
    const renewUrl = options.renewUrl || base && new URL('../v1/session-tokens/renew', base).href;
    if (!source || !renewUrl) throw new TypeError('jeton: fetchToken or renewUrl is missing');
    const bus = new EventTarget(), offs = new Set();
    let current, work, ended, pending, settle, timer, planned, delay, offline, failures = 0;

    const emit = (type, detail) => bus.dispatchEvent(new CustomEvent(type, { detail }));

    const listen = (target, type, heard) => {
      const off = () => {
        target.removeEventListener(type, heard);
        offs.delete(off);
      };
      if (!ended) {
        target.addEventListener(type, heard);
        offs.add(off);
      }
      return off;
    };

    const on = (type, fn) => listen(bus, type, event => fn(event.detail));

    const left = it => it.life - since(it.begun);

    // A token is not handed out in its last moments: it has to arrive, too.
    const usable = (it = current) => it && left(it) > Math.min(5000, it.life / 20);

    const message = () => ({ type: 'jeton:token', token: current.token, expires_in: Math.floor(left(current) / 1000) });

    // Timers are late after sleep, so that a long wait is cut into short ones.
    const arm = () => {
      clearTimeout(timer);
      timer = setTimeout(check, Math.min(Math.max(delay - since(planned), 0), POLL));
    };

    const plan = (ms, from) => {
      planned = from || clock();
      delay = ms;
      if (!ended) arm();
    };

    const check = () => {
      if (ended) return;
      if (since(planned) < delay) arm();
      else if (work) giveUp();
      else run();
    };

    const giveUp = () => {
      work.abort();
      work = 0;
      failed(fault('no answer in time'));
    };

    const failed = error => {
      if (error.ends) return finish(error.ends);
      const wait = Math.min(RETRY_FIRST * 2 ** failures++, RETRY_MOST) * (0.5 + Math.random() / 2);
      offline = !error.status;
      plan((error.retryAfter > 0 ? error.retryAfter : 0) + wait);
      emit('error', error);
    };

    const finish = reason => {
      if (ended) return;
      ended = reason;
      clearTimeout(timer);
      if (work) work.abort();
      work = current = 0;
      if (pending) settle[1](fault(reason));
      emit('end', reason);
      offs.forEach(off => off());
    };

    // One try in four goes to the page's backend, should the renewal be what does not work.
    const obtain = async signal => {
      if (usable() && !current.spent && failures % 4 < 3) {
        const renewed = current;
        const headers = { authorization: 'Bearer ' + renewed.token };
        const reply = await fetch(renewUrl, { method: 'POST', headers, credentials: 'omit', redirect: 'error', signal });
        if (reply.ok) return reply.json();
        const error = await refusal('renewal', reply);
        if (error.code === 'session_ended') error.ends = error.code;
        if (error.ends || reply.status === 408 || reply.status === 429 || reply.status > 499) throw error;
        if (signal.aborted) return;
        renewed.spent = 1;
        if (reply.status === 401) renewed.life = 0;
        emit('error', error);
        if (signal.aborted) return;
      }
      if (typeof source === 'function') return source();
      const reply = await fetch(source, { method: options.method || 'POST', credentials: 'same-origin', signal });
      if (reply.ok) return reply.json();
      const error = await refusal('fetchToken', reply);
      if (reply.status === 401 || reply.status === 403) error.ends = 'refused';
      throw error;
    };

    const run = async () => {
      const mine = work = new AbortController(), begun = clock();
      let answer, error;
      plan(PATIENCE);
      try {
        answer = await obtain(mine.signal);
        if (answer === null) error = { ends: 'refused' };
        else if (!answer || typeof answer.token !== 'string' || !(answer.expires_in > 0)) error = fault('not a token');
      } catch (thrown) {
        error = thrown || fault('failed');
      }
      // Stopped or given up in the meantime.
      if (work !== mine) return;
      work = 0;
      if (error) failed(error);
      else take(answer, begun);
    };

    // A life counts from before the request, for nobody knows how long the answer took.
    const take = (answer, begun) => {
      const life = answer.expires_in * 1000;
      const refresh = answer.refresh_in > 0 ? answer.refresh_in * 1000 : life * 0.75;
      const next = { token: answer.token, answer, life, begun };
      if (!usable(next)) return failed(fault('expired on arrival'));
      current = next;
      failures = 0;
      plan(Math.max(Math.min(refresh, life * 0.9) * (1 - Math.random() / 10), 500), begun);
      if (pending) settle[0](current.token);
      pending = 0;
      emit('token');
    };

    const wake = event => {
      if (event.type === 'online' && failures && offline && !work) run();
      else check();
    };

    listen(document, 'visibilitychange', wake);
    ['focus', 'online', 'pageshow'].forEach(type => listen(root, type, wake));
    run();

    const subscribe = fn => {
      const give = () => fn(current.token, current.answer);
      const off = on('token', give);
      if (usable()) give();
      return off;
    };

    return {
      on,
      subscribe,
      stop: () => finish('stopped'),

      token: () => {
        if (ended) return Promise.reject(fault(ended));
        if (usable()) return Promise.resolve(current.token);
        if (!pending) {
          pending = new Promise((...both) => { settle = both; });
          pending.catch(() => 0);
        }
        check();
        return pending;
      },

      toElement: el => {
        // What is set before an element is defined would hide the element's own property for good.
        const name = el.localName, early = () => name.includes('-') && !customElements.get(name);
        const give = (token, type, detail) => {
          el.token = token;
          el.dispatchEvent(new CustomEvent(type, { detail }));
        };
        const send = () => {
          if (usable() && !early()) give(current.token, 'jeton-token', message());
        };
        const parts = [subscribe(send), on('end', reason => early() || give(null, 'jeton-end', reason))];
        if (early()) customElements.whenDefined(name).then(() => offs.has(parts[0]) && send());
        return () => parts.forEach(off => off());
      },

      toIframe: (iframe, targetOrigin) => {
        const origin = new URL(targetOrigin).origin;
        if (origin === 'null') throw new TypeError('jeton: not an origin');
        // Before it has loaded, a frame is an empty document of this page's own origin.
        const post = what => {
          const loaded = origin === location.origin || !iframe.contentDocument;
          if (loaded && iframe.contentWindow) iframe.contentWindow.postMessage(what, origin);
        };
        const send = () => {
          if (usable()) post(message());
          else check();
        };
        const parts = [
          subscribe(send),
          on('end', reason => post({ type: 'jeton:end', reason })),
          listen(iframe, 'load', send),
          listen(root, 'message', event => {
            const from = event.source === iframe.contentWindow && event.origin === origin;
            if (from && event.data && event.data.type === 'jeton:ready') send();
          })
        ];
        return () => parts.forEach(off => off());
      }
    };
  };

  root.jeton = { session };
})(window);
