package signature

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestSignMatchesThePublishedVector(t *testing.T) {
	secret, err := ParseSecret(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	got := Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), secret)
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature = %q, want %q", got, want)
	}
}

func TestReferenceLibraryAcceptsOurSignature(t *testing.T) {
	current, old := newSecret(t), newSecret(t)
	body, now := []byte(`{"name":"Zürich ☃"}`), time.Now()
	header := signed("dlv_1", now, body, current, old)
	for name, secret := range map[string]Secret{"current": current, "old": old} {
		theirs, err := standardwebhooks.NewWebhook(secret.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := theirs.Verify(body, header); err != nil {
			t.Errorf("%s secret: %v", name, err)
		}
		if err := theirs.Verify([]byte("{}"), header); err == nil {
			t.Errorf("%s secret: another body was accepted", name)
		}
	}
}

func TestVerifyAcceptsTheReferenceLibrary(t *testing.T) {
	secret, body, now := newSecret(t), []byte(`{"a":1}`), time.Now()
	theirs, err := standardwebhooks.NewWebhook(secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	signature, err := theirs.Sign("msg_1", now, body)
	if err != nil {
		t.Fatal(err)
	}
	header := signed("msg_1", now, body)
	header.Set(HeaderSignature, signature)
	if err := Verify(header, body, now, newSecret(t), secret); err != nil {
		t.Errorf("Verify = %v", err)
	}
}

func TestSignUsesTheNewestThreeSecretsInOrder(t *testing.T) {
	secrets := []Secret{newSecret(t), newSecret(t), newSecret(t), newSecret(t)}
	at, body := time.Unix(1700000000, 0), []byte("{}")
	got := strings.Split(Sign("id", at, body, secrets...), " ")
	if len(got) != MaxSecrets {
		t.Fatalf("%d signatures, want %d", len(got), MaxSecrets)
	}
	for i, one := range got {
		if want := Sign("id", at, body, secrets[i]); one != want {
			t.Errorf("signature %d = %s, want %s", i, one, want)
		}
	}
	if got := Sign("id", at, body); got != "" {
		t.Errorf("signature without a secret = %q, want none", got)
	}
}

func TestVerify(t *testing.T) {
	secret, other := newSecret(t), newSecret(t)
	now, body := time.Unix(1700000000, 0), []byte(`{"a":1}`)
	for name, tt := range map[string]struct {
		change func(http.Header)
		now    time.Time
		body   string
		with   []Secret
		want   error
	}{
		"signed":                   {},
		"four minutes late":        {now: now.Add(4 * time.Minute)},
		"six minutes late":         {now: now.Add(6 * time.Minute), want: ErrTimestamp},
		"six minutes early":        {now: now.Add(-6 * time.Minute), want: ErrTimestamp},
		"no id":                    {change: func(h http.Header) { h.Del(HeaderID) }, want: ErrHeaders},
		"no timestamp":             {change: func(h http.Header) { h.Del(HeaderTimestamp) }, want: ErrHeaders},
		"no signature":             {change: func(h http.Header) { h.Del(HeaderSignature) }, want: ErrHeaders},
		"timestamp is text":        {change: set(HeaderTimestamp, "yesterday"), want: ErrHeaders},
		"timestamp overflows":      {change: set(HeaderTimestamp, "99999999999999999999"), want: ErrHeaders},
		"timestamp is huge":        {change: set(HeaderTimestamp, "9223372036854775807"), want: ErrTimestamp},
		"timestamp is very old":    {change: set(HeaderTimestamp, "-9223372036854775808"), want: ErrTimestamp},
		"timestamp changed":        {change: set(HeaderTimestamp, "1700000001"), want: ErrSignature},
		"id changed":               {change: set(HeaderID, "dlv_2"), want: ErrSignature},
		"body changed":             {body: `{"a":2}`, want: ErrSignature},
		"another secret":           {with: []Secret{other}, want: ErrSignature},
		"either of two secrets":    {with: []Secret{other, secret}},
		"no secret":                {with: []Secret{}, want: ErrSignature},
		"an empty secret":          {with: []Secret{{}}, want: ErrSignature},
		"unknown version":          {change: rewrite("v1,", "v2,"), want: ErrSignature},
		"with another version":     {change: rewrite("v1,", "v1a,AAAA v1,")},
		"after too many others":    {change: rewrite("v1,", strings.Repeat("v1,x ", 20)+"v1,"), want: ErrSignature},
		"truncated signature":      {change: rewrite("=", ""), want: ErrSignature},
		"only a version":           {change: set(HeaderSignature, "v1,"), want: ErrSignature},
		"signature of spaces only": {change: set(HeaderSignature, "   "), want: ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			header := signed("dlv_1", now, body, secret)
			if tt.change != nil {
				tt.change(header)
			}
			at, got, with := now, body, []Secret{secret}
			if !tt.now.IsZero() {
				at = tt.now
			}
			if tt.body != "" {
				got = []byte(tt.body)
			}
			if tt.with != nil {
				with = tt.with
			}
			if err := Verify(header, got, at, with...); !errors.Is(err, tt.want) {
				t.Errorf("Verify = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestSecretRoundTrip(t *testing.T) {
	secret := newSecret(t)
	got, err := ParseSecret(secret.Reveal())
	if err != nil || !bytes.Equal(got, secret) {
		t.Errorf("ParseSecret(Reveal()) is not the secret: %v", err)
	}
	if hint := secret.Hint(); len(hint) != 4 || !strings.Contains(secret.Reveal(), hint) {
		t.Errorf("Hint = %q, want four characters of the text", hint)
	}
	if hint := Secret("short").Hint(); hint != "" {
		t.Errorf("Hint of a short secret = %q, want none", hint)
	}
}

func TestParseSecretRejects(t *testing.T) {
	for name, text := range map[string]string{
		"empty":          "",
		"no prefix":      strings.TrimPrefix(vectorSecret, "whsec_"),
		"another prefix": "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"no key":         "whsec_",
		"too short":      "whsec_AAAA",
		"too long":       "whsec_" + strings.Repeat("AAAA", 22),
		"not base64":     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa$$",
		"url alphabet":   "whsec_-_KQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"newline":        "whsec_MfKQ9r8GKYqrTwjU\nPD8ILPZIo2LaLaSw",
		"no padding":     "whsec_" + strings.Repeat("A", 43),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseSecret(text); !errors.Is(err, ErrSecret) || got != nil {
				t.Errorf("ParseSecret(%q) = %v, %v, want ErrSecret", text, []byte(got), err)
			}
		})
	}
}

func TestPrintingASecretHidesIt(t *testing.T) {
	secret := Secret("0123456789abcdefghijklmnopqrstuv")
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		logger := slog.New(handler)
		logger.Info("x", "secret", secret, "nested", struct{ S Secret }{secret})
	}
	encoded, err := json.Marshal(map[string]any{"s": secret})
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%s %v %+v %#v %x %X %d %q %s", secret, secret, secret, secret, secret, secret,
		secret, secret, struct{ S Secret }{secret})
	all := log.String() + string(encoded) + printed + secret.String()
	for _, leak := range []string{"0123456", "30313233", "MDEyMzQ", "48 49 50"} {
		if strings.Contains(all, leak) {
			t.Errorf("%q is visible in %s", leak, all)
		}
	}
	if !strings.Contains(printed, "redacted") {
		t.Errorf("printed %q, want the placeholder", printed)
	}
}

// FuzzVerify checks that Verify accepts the signatures of Sign, rejects a body with
// a flipped bit, and does not panic for any header.
func FuzzVerify(f *testing.F) {
	f.Add("dlv_1", []byte(`{"a":1}`), "v1,AAAA v1,", "1700000000", uint16(3))
	f.Add("", []byte{}, "", "", uint16(0))
	secret := Secret("0123456789abcdefghijklmnopqrstuv")
	now := time.Unix(1700000000, 0)
	f.Fuzz(func(t *testing.T, id string, body []byte, offered, timestamp string, bit uint16) {
		hostile := http.Header{HeaderID: {id}, HeaderTimestamp: {timestamp}, HeaderSignature: {offered}}
		if Verify(hostile, body, now, secret) == nil && !strings.Contains(offered, "v1,") {
			t.Fatalf("%q was accepted", offered)
		}
		if id == "" {
			return
		}
		header := signed(id, now, body, secret)
		if err := Verify(header, body, now, secret); err != nil {
			t.Fatalf("the result of Sign was rejected: %v", err)
		}
		if len(body) == 0 {
			return
		}
		forged := bytes.Clone(body)
		forged[int(bit)/8%len(body)] ^= 1 << (bit % 8)
		if Verify(header, forged, now, secret) == nil {
			t.Fatal("a changed body was accepted")
		}
	})
}

func BenchmarkSign(b *testing.B) {
	secret := Secret("0123456789abcdefghijklmnopqrstuv")
	body, at := bytes.Repeat([]byte("x"), 1024), time.Unix(1700000000, 0)
	for name, secrets := range map[string][]Secret{"1": {secret}, "3": {secret, secret, secret}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Sign("dlv_0123456789", at, body, secrets...)
			}
		})
	}
}

func newSecret(t *testing.T) Secret {
	t.Helper()
	s, err := NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signed(id string, at time.Time, body []byte, secrets ...Secret) http.Header {
	return http.Header{
		HeaderID:        {id},
		HeaderTimestamp: {Timestamp(at)},
		HeaderSignature: {Sign(id, at, body, secrets...)},
	}
}

func set(name, value string) func(http.Header) {
	return func(h http.Header) { h.Set(name, value) }
}

func rewrite(from, to string) func(http.Header) {
	return func(h http.Header) {
		h.Set(HeaderSignature, strings.Replace(h.Get(HeaderSignature), from, to, 1))
	}
}
