package egress

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// hostileURLs are spellings that have reached internal addresses in other
// products, with the reason for which each must be refused.
func hostileURLs() map[string]URLReason {
	return map[string]URLReason{
		"": URLEmpty,
		"https://example.com/" + strings.Repeat("a", MaxURL): URLTooLong,

		"https://example.com/a b":                URLCharacters,
		" https://example.com/":                  URLCharacters,
		"https://example.com/\n":                 URLCharacters,
		"https://example.com/\r\nHost: internal": URLCharacters,
		"https://example.com\x00.internal/":      URLCharacters,
		"https://example.com/\x7f":               URLCharacters,
		"https://example.com\\@127.0.0.1/":       URLCharacters,
		"https:\\\\127.0.0.1/":                   URLCharacters,
		"https://example.com/\xff":               URLCharacters,
		"https://exam\u200bple.com/":             URLCharacters,
		"https://example.com/\u202egpj.exe":      URLCharacters,
		"https://example.com/\u0085":             URLCharacters,

		"https://example.com/#frag":               URLFragment,
		"https://example.com/?id=#workspace_id":   URLFragment,
		"https://#organization_name.example.com/": URLFragment,
		"https://example.com#@127.0.0.1/":         URLFragment,

		"https://[::1":                     URLMalformed,
		"https://example.com:x/":           URLMalformed,
		"https://%31%32%37.0.0.1/":         URLMalformed,
		"https://127.0.0.1%2f.example.com": URLMalformed,
		"https://example.com/%zz":          URLMalformed,
		"://example.com/":                  URLMalformed,

		"http://example.com/":       URLScheme,
		"ftp://example.com/":        URLScheme,
		"file:///etc/passwd":        URLScheme,
		"gopher://127.0.0.1:25/":    URLScheme,
		"javascript:alert(1)":       URLScheme,
		"unix:///var/run/docker":    URLScheme,
		"//example.com/":            URLScheme,
		"example.com/hook":          URLScheme,
		"/etc/passwd":               URLScheme,
		"data:text/plain,x":         URLScheme,
		"https:example.com":         URLHost,
		"https:///path":             URLHost,
		"https://":                  URLHost,
		"https://?x":                URLHost,
		"https://user@example.com/": URLUserinfo,
		"https://u:p@example.com/":  URLUserinfo,
		"https://@example.com/":     URLUserinfo,
		"https://example.com@[::1]": URLUserinfo,

		"https://example.com:/":                     URLPort,
		"https://example.com:0/":                    URLPort,
		"https://example.com:22/":                   URLPort,
		"https://example.com:6379/":                 URLPort,
		"https://example.com:65536/":                URLPort,
		"https://example.com:99999999999999999999/": URLPort,

		"https://127.0.0.1/":                          URLAddress,
		"https://127.0.0.1./":                         URLAddress,
		"https://127.255.255.254/":                    URLAddress,
		"https://0.0.0.0/":                            URLAddress,
		"https://10.0.0.1/":                           URLAddress,
		"https://100.64.0.1/":                         URLAddress,
		"https://100.100.100.200/":                    URLAddress,
		"https://168.63.129.16/":                      URLAddress,
		"https://169.254.169.254/latest/":             URLAddress,
		"https://172.16.0.1/":                         URLAddress,
		"https://192.0.0.192/":                        URLAddress,
		"https://192.168.1.1/":                        URLAddress,
		"https://198.18.0.1/":                         URLAddress,
		"https://224.0.0.1/":                          URLAddress,
		"https://255.255.255.255/":                    URLAddress,
		"https://[::]/":                               URLAddress,
		"https://[::1]/":                              URLAddress,
		"https://[0:0:0:0:0:0:0:1]/":                  URLAddress,
		"https://[::127.0.0.1]/":                      URLAddress,
		"https://[::ffff:127.0.0.1]/":                 URLAddress,
		"https://[::ffff:a9fe:a9fe]/":                 URLAddress,
		"https://[64:ff9b::7f00:1]/":                  URLAddress,
		"https://[64:ff9b:1::1]/":                     URLAddress,
		"https://[2002:7f00:1::]/":                    URLAddress,
		"https://[2001:0:7f00:1::]/":                  URLAddress,
		"https://[2001:db8::1]/":                      URLAddress,
		"https://[fc00::1]/":                          URLAddress,
		"https://[fd00:ec2::254]/":                    URLAddress,
		"https://[fe80::1]/":                          URLAddress,
		"https://[fec0::1]/":                          URLAddress,
		"https://[ff02::1]/":                          URLAddress,
		"https://localhost/":                          URLAddress,
		"https://LOCALHOST./":                         URLAddress,
		"https://a.localhost/":                        URLAddress,
		"https://[fe80::1%25lo]/":                     URLHost,
		"https://[::1%25]/":                           URLMalformed,
		"https://[127.0.0.1]/":                        URLMalformed,
		"https://[example.com]/":                      URLMalformed,
		"https://[]/":                                 URLMalformed,
		"https://2130706433/":                         URLHost,
		"https://0x7f000001/":                         URLHost,
		"https://0X7F.1/":                             URLHost,
		"https://0x/":                                 URLHost,
		"https://017700000001/":                       URLHost,
		"https://0177.0.0.1/":                         URLHost,
		"https://127.1/":                              URLHost,
		"https://127.0.1/":                            URLHost,
		"https://127.0.0.1.1/":                        URLHost,
		"https://127.0.0.0x1/":                        URLHost,
		"https://127.0.0.256/":                        URLHost,
		"https://①②⑦.⓪.⓪.①/":                          URLHost,
		"https://127。0。0。1/":                          URLHost,
		"https://１２７.0.0.1/":                          URLHost,
		"https://bücher.example/":                     URLHost,
		"https://a..example.com/":                     URLHost,
		"https://.example.com/":                       URLHost,
		"https://./":                                  URLHost,
		"https://-a.example.com/":                     URLHost,
		"https://a,b.example.com/":                    URLHost,
		"https://a$b.example.com/":                    URLHost,
		"https://example.com;127.0.0.1/":              URLHost,
		"https://" + strings.Repeat("a", 64):          URLHost,
		"https://" + strings.Repeat("a.", 127) + "aa": URLHost,
	}
}

func TestValidateURLRefusesHostileURLs(t *testing.T) {
	for raw, want := range hostileURLs() {
		u, err := Policy{}.ValidateURL(raw)
		refusal, ok := errors.AsType[*URLError](err)
		switch {
		case !ok:
			t.Errorf("%q gives %v, %v, want a URLError", raw, u, err)
		case refusal.Reason != want:
			t.Errorf("%q is refused for %s, want %s", raw, refusal.Reason, want)
		case u != nil || !strings.HasSuffix(refusal.Message, "."):
			t.Errorf("%q gives URL %v and message %q, want no URL and a sentence", raw, u, refusal.Message)
		}
	}
}

func TestValidateURLAcceptsOrdinaryURLs(t *testing.T) {
	for _, raw := range []string{
		"https://example.com",
		"https://Example.COM/Path?q=%20",
		"https://example.com.:443/",
		"https://hooks.slack.com/services/T0/B0/x",
		"https://prod-1.logic.azure.com:443/workflows/a/triggers/manual/paths/invoke?api-version=2016&sp=%2Ft",
		"https://xn--bcher-kva.example/",
		"https://a_b.example.com:8443/",
		"https://8.8.8.8/",
		"https://[2606:4700:4700::1111]:8080/",
		"https://3com.example/",
		"https://example.com/päth?q=☃",
		"HTTPS://example.com/",
	} {
		if _, err := (Policy{}).ValidateURL(raw); err != nil {
			t.Errorf("%q is refused: %v", raw, err)
		}
	}
}

func TestPolicyOpensOnlyWhatItNames(t *testing.T) {
	for name, tt := range map[string]struct {
		policy Policy
		url    string
		ok     bool
	}{
		"http when allowed":                 {Policy{AllowHTTP: true}, "http://example.com/", true},
		"other schemes stay closed":         {Policy{AllowHTTP: true}, "ftp://example.com/", false},
		"a port of the list":                {Policy{Ports: []uint16{9000}}, "https://example.com:9000/", true},
		"the list replaces the default":     {Policy{Ports: []uint16{9000}}, "https://example.com/", false},
		"any port":                          {Policy{AnyPort: true}, "https://example.com:40001/", true},
		"any port but zero":                 {Policy{AnyPort: true}, "https://example.com:0/", false},
		"a private network":                 {allow(t, "10.0.0.0/8"), "https://10.1.2.3/", true},
		"its IPv4-mapped spelling":          {allow(t, "::ffff:10.0.0.0/104"), "https://10.1.2.3/", true},
		"a mapped address of it":            {allow(t, "10.0.0.0/8"), "https://[::ffff:10.1.2.3]/", true},
		"not its neighbour":                 {allow(t, "10.0.0.0/8"), "https://11.0.0.1/", true},
		"not another private network":       {allow(t, "10.0.0.0/8"), "https://192.168.0.1/", false},
		"localhost with loopback":           {allow(t, "127.0.0.0/8"), "https://localhost/", true},
		"metadata not by everything":        {allow(t, "0.0.0.0/0", "::/0"), "https://169.254.169.254/", false},
		"metadata not by link-local":        {allow(t, "169.254.0.0/16"), "https://169.254.169.254/", false},
		"metadata not by a /31":             {allow(t, "169.254.169.254/31"), "https://169.254.169.254/", false},
		"metadata by its own address":       {allow(t, "169.254.169.254/32"), "https://169.254.169.254/", true},
		"Azure not by everything":           {allow(t, "0.0.0.0/0"), "https://168.63.129.16/", false},
		"Azure by its own address":          {allow(t, "168.63.129.16/32"), "https://168.63.129.16/", true},
		"IPv6 metadata not by everything":   {allow(t, "::/0"), "https://[fd00:ec2::254]/", false},
		"IPv6 metadata by its own address":  {allow(t, "fd00:ec2::254/128"), "https://[fd00:ec2::254]/", true},
		"metadata mapped":                   {allow(t, "::/0", "0.0.0.0/0"), "https://[::ffff:a9fe:a9fe]/", false},
		"metadata behind NAT64":             {allow(t, "64:ff9b::/96"), "https://[64:ff9b::a9fe:a9fe]/", false},
		"loopback behind NAT64":             {allow(t, "64:ff9b::/96"), "https://[64:ff9b::7f00:1]/", false},
		"public address behind NAT64":       {allow(t, "64:ff9b::/96"), "https://[64:ff9b::808:808]/", true},
		"metadata behind 6to4":              {allow(t, "::/0"), "https://[2002:a9fe:a9fe::1]/", false},
		"metadata in the compatible form":   {allow(t, "::/0"), "https://[::169.254.169.254]/", false},
		"an invalid prefix opens nothing":   {Policy{Allow: []netip.Prefix{{}}}, "https://10.0.0.1/", false},
		"IPv4 everything is not IPv6 local": {allow(t, "0.0.0.0/0"), "https://[::1]/", false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := tt.policy.ValidateURL(tt.url); (err == nil) != tt.ok {
				t.Errorf("ValidateURL(%q) = %v, want allowed %t", tt.url, err, tt.ok)
			}
		})
	}
}

func allow(t *testing.T, list ...string) Policy {
	t.Helper()
	return Policy{Allow: prefixes(t, list...)}
}

func TestNormalizeJoinsSpellingsOfOneTarget(t *testing.T) {
	p := Policy{AllowHTTP: true, AnyPort: true, Allow: prefixes(t, "::1/128")}
	for raw, want := range map[string]string{
		"https://Example.COM":              "https://example.com/",
		"HTTPS://example.com:443/":         "https://example.com/",
		"https://example.com.:0443/":       "https://example.com/",
		"http://example.com:80/a":          "http://example.com/a",
		"http://example.com:443/a":         "http://example.com:443/a",
		"https://example.com/A%2Fb?X=1":    "https://example.com/A%2Fb?X=1",
		"https://example.com?x":            "https://example.com/?x",
		"https://[0:0:0:0:0:0:0:1]:8443/":  "https://[::1]:8443/",
		"https://example.com/a/":           "https://example.com/a/",
		"https://example.com:8443/a?b=c&d": "https://example.com:8443/a?b=c&d",
	} {
		u, err := p.ValidateURL(raw)
		if err != nil {
			t.Errorf("%q: %v", raw, err)
			continue
		}
		got := Normalize(u)
		if got != want {
			t.Errorf("Normalize(%q) = %q, want %q", raw, got, want)
		}
		again, err := p.ValidateURL(got)
		if err != nil || Normalize(again) != got {
			t.Errorf("Normalize is not stable for %q: %v", raw, err)
		}
	}
}

// FuzzValidateURL proves that no text makes ValidateURL panic, that what it
// accepts keeps its promises, and that a normalized URL is accepted again.
func FuzzValidateURL(f *testing.F) {
	for raw := range hostileURLs() {
		f.Add(raw)
	}
	f.Add("https://example.com:8443/a?b=c")
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := Policy{}.ValidateURL(raw)
		if err != nil {
			if _, ok := errors.AsType[*URLError](err); !ok || u != nil {
				t.Fatalf("ValidateURL(%q) = %v, %v, want a URLError alone", raw, u, err)
			}
			return
		}
		if u.Scheme != "https" || u.User != nil || u.Fragment != "" || u.Hostname() == "" {
			t.Fatalf("ValidateURL(%q) accepted %+v", raw, u)
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !plainlyPublic(addr) {
			t.Fatalf("ValidateURL(%q) accepted the address %s", raw, addr)
		}
		normal := Normalize(u)
		if len(normal) > MaxURL {
			return // escaping may lengthen a URL beyond what is accepted
		}
		again, err := Policy{}.ValidateURL(normal)
		if err != nil {
			t.Fatalf("Normalize(%q) = %q, which is refused: %v", raw, normal, err)
		}
		if Normalize(again) != normal {
			t.Fatalf("Normalize(%q) = %q, then %q", raw, normal, Normalize(again))
		}
	})
}

// The message names something that exists.
func TestAURLWithAPasswordLeadsToASecretHeader(t *testing.T) {
	_, err := Policy{}.ValidateURL("https://user:password@example.com/")
	if err == nil || !strings.Contains(err.Error(), "secret header named Authorization") ||
		strings.Contains(err.Error(), "password@") {
		t.Errorf("err = %v, want the header, without the password", err)
	}
}
